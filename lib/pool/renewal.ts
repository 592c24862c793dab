/** One `reconnect()` at a time, and whoever waits for it. */
export class Renewal {
  private promise?: Promise<void>;
  private resolve: () => void = () => {};
  private reject: (error: Error) => void = () => {};

  get underWay(): boolean {
    return this.promise !== undefined;
  }

  /** The one that is under way, or a new one. */
  begin(): Promise<void> {
    this.promise ??= new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    return this.promise;
  }

  doneIf(done: () => boolean): void {
    if (!this.promise || !done()) return;
    this.promise = undefined;
    this.resolve();
  }

  fail(why: () => Error): void {
    if (!this.promise) return;
    this.promise = undefined;
    this.reject(why());
  }
}

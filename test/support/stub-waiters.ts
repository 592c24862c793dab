interface Waiter<T> {
  predicate: (subject: T) => boolean;
  resolve: () => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

/** Lets a test wait for a state of `subject` without polling: whoever changes the state calls `changed()`. */
export class Waiters<T> {
  private readonly waiting = new Set<Waiter<T>>();

  constructor(
    private readonly subject: T,
    private readonly describe: () => string,
  ) {}

  waitFor(predicate: (subject: T) => boolean, timeoutMs = 20_000): Promise<void> {
    if (predicate(this.subject)) return Promise.resolve();
    // Taken here, so that the error shows the line of the test that waited.
    const timedOut = new Error();
    return new Promise((resolve, reject) => {
      const waiter: Waiter<T> = {
        predicate,
        resolve,
        reject,
        timer: setTimeout(() => {
          timedOut.message = `not reached within ${timeoutMs} ms: ${predicate}; now ${this.describe()}`;
          this.settle(waiter, () => reject(timedOut));
        }, timeoutMs),
      };
      this.waiting.add(waiter);
    });
  }

  changed(): void {
    for (const waiter of this.waiting) {
      try {
        if (waiter.predicate(this.subject)) this.settle(waiter, waiter.resolve);
      } catch (error) {
        this.settle(waiter, () => waiter.reject(error as Error));
      }
    }
  }

  /** Ends what can no longer come true. */
  stop(): void {
    this.changed();
    for (const waiter of this.waiting) {
      this.settle(waiter, () => waiter.reject(new Error(`stopped while waiting for ${waiter.predicate}`)));
    }
  }

  private settle(waiter: Waiter<T>, outcome: () => void): void {
    clearTimeout(waiter.timer);
    if (this.waiting.delete(waiter)) outcome();
  }
}

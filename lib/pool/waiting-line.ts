import type { Clock, Scheduled } from '../resilience/clock.js';

/** A bounded first-come-first-served line; each waiter with its own time limit. */
export class WaitingLine<Waiter> {
  private readonly waiters = new Map<Waiter, Scheduled>();

  constructor(
    private readonly maxPending: number,
    private readonly clock: Clock,
  ) {}

  get pending(): number {
    return this.waiters.size;
  }

  get full(): boolean {
    return this.waiters.size >= this.maxPending;
  }

  /** @param onLimit called when `limitMs` passed; the waiter has left the line by then */
  join(waiter: Waiter, limitMs: number, onLimit: () => void): void {
    const limit = this.clock.schedule(() => {
      this.waiters.delete(waiter);
      onLimit();
    }, limitMs);
    this.waiters.set(waiter, limit);
  }

  /** The waiter does not wait any longer. Harmless when it has left already. */
  leave(waiter: Waiter): void {
    this.waiters.get(waiter)?.cancel();
    this.waiters.delete(waiter);
  }

  /** Takes the one who has waited longest out of the line. */
  next(): Waiter | undefined {
    const first = this.waiters.keys().next();
    if (first.done) return undefined;
    this.leave(first.value);
    return first.value;
  }
}

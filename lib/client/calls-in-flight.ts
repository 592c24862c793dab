import { systemClock } from '../resilience/clock.js';
import type { Call } from './call.js';

/** A call that is under way, for reports. */
export interface CallUnderWay {
  /** Public method that was called, e.g. `search`. */
  readonly method: string;
  /** Since it was called. */
  readonly ageMs: number;
}

/** The calls of one client that are under way. */
export class CallsInFlight {
  private readonly calls = new Set<Call>();

  add(call: Call): void {
    this.calls.add(call);
  }

  delete(call: Call): void {
    this.calls.delete(call);
  }

  get none(): boolean {
    return this.calls.size === 0;
  }

  /** Those within an `execute()` are one with it. */
  get count(): number {
    return this.whole.length;
  }

  /** The oldest first. */
  describe(most: number): readonly CallUnderWay[] {
    const now = systemClock.now();
    const described = this.whole.map(({ method, deadline }) => ({
      method,
      ageMs: now - (deadline.at - deadline.timeoutMs),
    }));
    return described.sort((a, b) => b.ageMs - a.ageMs).slice(0, most);
  }

  /** Those that nobody waits for. */
  cancelUnattended(error: (call: Call) => Error): void {
    cancel(
      [...this.calls].filter(({ request }) => request.unattended),
      error,
    );
  }

  cancelAll(error: (call: Call) => Error): void {
    cancel([...this.calls], error);
  }

  private get whole(): Call[] {
    return [...this.calls].filter(({ request }) => request.scope.within?.ended ?? true);
  }
}

function cancel(calls: Call[], error: (call: Call) => Error): void {
  // The latest first, which are parts of an execute() before it; and before all those that wait, or they would be sent in the moment
  // in which the others leave room.
  const latestFirst = calls.reverse();
  const waiting = latestFirst.filter(call => call.unsent());
  for (const call of [...waiting, ...latestFirst]) call.end(error(call));
}

import { type Clock, systemClock } from './clock.js';

/** The moment by which a call ends, whatever it is doing. Immutable; shared by everything the call does. */
export class Deadline {
  /** By the clock, in ms. */
  readonly at: number;

  constructor(
    /** The whole time given, in ms. */
    readonly timeoutMs: number,
    private readonly clock: Clock = systemClock,
  ) {
    this.at = clock.now() + timeoutMs;
  }

  /** Milliseconds left; 0 when it has passed. */
  remainingMs(): number {
    return Math.max(0, this.at - this.clock.now());
  }
}

import { backoffDelayMs } from '../resilience/backoff.js';

/** While calls wait for the server to come back, it is asked at least twice a second. */
const WHILE_CALLS_WAIT = { initialDelayMs: 100, maxDelayMs: 500, multiplier: 2, jitter: 'equal' as const };
/** While nobody waits, less often. */
const WHILE_NOBODY_WAITS = {
  initialDelayMs: 100,
  maxDelayMs: 5_000,
  multiplier: 2,
  jitter: 'equal' as const,
};

/** A connection that broke sooner than this after it was opened counts as a failed try. */
const SHORT_LIFE_MS = 1_000;

/** When the pool may try to open a connection again: at once while all is well, with growing pauses while it fails. */
export class OpenSchedule {
  private failures = 0;
  private shortLives = 0;
  private pausedSince = Number.NEGATIVE_INFINITY;
  private jitter = 0;

  constructor(private readonly random: () => number) {}

  opened(): void {
    this.failures = 0;
  }

  failed(now: number): void {
    this.failures++;
    this.pause(now);
  }

  /** A connection broke by itself. One that does so at once must not be replaced at once, again and again. */
  broke(now: number, ageMs: number): void {
    this.shortLives = ageMs < SHORT_LIFE_MS ? this.shortLives + 1 : 0;
    this.pause(now);
  }

  /** Somebody asks for a try now. */
  forget(): void {
    this.failures = 0;
    this.shortLives = 0;
  }

  /** Milliseconds until the next try may begin. */
  delayMs(now: number, callsWait: boolean): number {
    const tries = Math.max(this.failures, this.shortLives);
    if (tries === 0) return 0;
    const pace = callsWait ? WHILE_CALLS_WAIT : WHILE_NOBODY_WAITS;
    return Math.max(0, this.pausedSince + backoffDelayMs(pace, tries - 1, this.jitter) - now);
  }

  private pause(now: number): void {
    this.pausedSince = now;
    this.jitter = this.random();
  }
}

import { type BackoffOptions, backoffDelayMs } from './backoff.js';
import type { Setback } from './setback.js';

export interface RetryPolicy extends BackoffOptions {
  /** Attempts in all, the first included. Those that Milvus refused for its rate limit do not count. */
  maxAttempts: number;
}

/** What retries are taken from. */
interface Budget {
  take(now: number): boolean;
}

/** Why there is no other attempt: they are used up, or the time is, or the budget of all callers, or the circuit breaker opened. */
export type NoRetry = 'attempts' | 'time' | 'budget' | 'circuit';

/**
 * Milvus's rate limits are by the second, and refuse before anything is executed: worth a longer wait, and as many as the
 * deadline allows. Half of each pause is fixed, so that nobody asks at once again.
 */
const RATE_LIMIT_PACE: BackoffOptions = {
  initialDelayMs: 500,
  maxDelayMs: 5_000,
  multiplier: 2,
  jitter: 'equal',
};

/** An attempt that has less time, in ms, ends as its caller's deadline: nobody knows what became of it. */
export const SHORTEST_ATTEMPT_MS = 10;

export interface AttemptTimes {
  now: number;
  /** Until the deadline. */
  remainingMs: number;
  /** What the server took to refuse the attempt; 0 if it did not answer. */
  answerMs: number;
}

/** The pauses between the attempts of one RPC, or between the runs of one `execute()`. */
export class RetrySchedule {
  private failures = 0;
  private rateLimits = 0;

  constructor(
    private readonly policy: RetryPolicy,
    private readonly budget: Budget,
    private readonly random: () => number = Math.random,
  ) {}

  /**
   * What follows an attempt that failed.
   *
   * @returns the pause before the next attempt in ms, or why there is none
   */
  next(
    hope: Exclude<Setback['hope'], 'none'>,
    { now, remainingMs, answerMs }: AttemptTimes,
  ): number | NoRetry {
    const { policy } = this;
    // Neither the pause nor another attempt may pass the deadline.
    const longestMs = remainingMs - Math.max(answerMs, SHORTEST_ATTEMPT_MS);
    if (hope === 'rate-limited') {
      // Milvus works, and its limit is what paces: nothing is taken from the budget for outages.
      const pauseMs = backoffDelayMs(RATE_LIMIT_PACE, this.rateLimits++, this.random());
      return pauseMs <= longestMs ? pauseMs : 'time';
    }
    const pauseMs = backoffDelayMs(policy, this.failures++, this.random());
    if (this.failures >= policy.maxAttempts) return 'attempts';
    if (pauseMs > longestMs) return 'time';
    return this.budget.take(now) ? pauseMs : 'budget';
  }
}

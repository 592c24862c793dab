export interface BackoffOptions {
  initialDelayMs: number;
  maxDelayMs: number;
  multiplier: number;
  /** How much of the delay is left to chance: `full` all of it, `equal` half of it. */
  jitter: Jitter;
}

export type Jitter = 'full' | 'equal' | 'none';

const fixedShare: Record<Jitter, number> = { full: 0, equal: 0.5, none: 1 };

/**
 * Delay before try number `attempt` (0 is the first repeat), in ms: exponential, with jitter, so that many who lost the same
 * server do not come back in step.
 *
 * @param random a number in [0, 1)
 */
export function backoffDelayMs(options: BackoffOptions, attempt: number, random: number): number {
  const ceiling = Math.min(options.maxDelayMs, options.initialDelayMs * options.multiplier ** attempt);
  const fixed = ceiling * fixedShare[options.jitter];
  return fixed + (ceiling - fixed) * random;
}

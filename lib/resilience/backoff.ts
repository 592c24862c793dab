export interface BackoffOptions {
  initialDelayMs: number;
  maxDelayMs: number;
  multiplier: number;
}

/**
 * Delay before try number `attempt` (0 is the first repeat), in ms: exponential, with equal jitter (half fixed,
 * half random), so that many processes which lost the same server do not come back in step.
 *
 * @param random a number in [0, 1)
 */
export function backoffDelayMs(options: BackoffOptions, attempt: number, random: number): number {
  const ceiling = Math.min(options.maxDelayMs, options.initialDelayMs * options.multiplier ** attempt);
  return ceiling / 2 + (ceiling / 2) * random;
}

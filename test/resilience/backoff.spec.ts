import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { backoffDelayMs } from '../../lib/resilience/backoff.js';

const options = { initialDelayMs: 100, maxDelayMs: 500, multiplier: 2 };
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

describe('the delay before a repeat', () => {
  it('doubles up to its limit; half of it is fixed', () => {
    const of = (random: number) => [0, 1, 2, 3, 50].map(attempt => backoffDelayMs(options, attempt, random));
    expect(of(0)).toEqual([50, 100, 200, 250, 250]);
    expect(of(0.5)).toEqual([75, 150, 300, 375, 375]);
  });

  it('is never above its limit nor below half of what it grew to, whatever the try', () => {
    const arbitrary = fc.record({
      initialDelayMs: fc.integer({ min: 1, max: 10_000 }),
      maxDelayMs: fc.integer({ min: 1, max: 100_000 }),
      multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
    });
    fc.assert(
      fc.property(arbitrary, fc.nat(5_000), fraction, (backoff, attempt, random) => {
        const delayMs = backoffDelayMs(backoff, attempt, random);
        const leastMs = Math.min(backoff.maxDelayMs, backoff.initialDelayMs) / 2;
        expect(delayMs).toBeGreaterThanOrEqual(leastMs);
        expect(delayMs).toBeLessThanOrEqual(backoff.maxDelayMs);
        // Twice the fixed half is the next try's least.
        const next = backoffDelayMs(backoff, attempt + 1, 0);
        expect(next).toBeGreaterThanOrEqual(backoffDelayMs(backoff, attempt, 0));
      }),
    );
  });

  it('differs between processes that lost the same server at the same time', () => {
    fc.assert(
      fc.property(fraction, fraction, (one, other) => {
        fc.pre(Math.abs(one - other) > 1e-6);
        expect(backoffDelayMs(options, 3, one)).not.toBe(backoffDelayMs(options, 3, other));
      }),
    );
  });
});

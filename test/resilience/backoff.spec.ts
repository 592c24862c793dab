import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type BackoffOptions, backoffDelayMs, type Jitter } from '../../lib/resilience/backoff.js';

const options = { initialDelayMs: 100, maxDelayMs: 500, multiplier: 2 };
const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const pace = fc.record({
  initialDelayMs: fc.integer({ min: 1, max: 10_000 }),
  maxDelayMs: fc.integer({ min: 1, max: 100_000 }),
  multiplier: fc.double({ min: 1, max: 10, noNaN: true }),
});

/** The longest delay before try number `attempt`. */
const ceilingOf = (backoff: Omit<BackoffOptions, 'jitter'>, attempt: number) =>
  backoffDelayMs({ ...backoff, jitter: 'none' }, attempt, 0);

describe('the delay before a repeat', () => {
  it.each<[Jitter, string, number[], number[]]>([
    ['full', 'nothing', [0, 0, 0, 0, 0], [50, 100, 200, 250, 250]],
    ['equal', 'half of it', [50, 100, 200, 250, 250], [75, 150, 300, 375, 375]],
    ['none', 'all of it', [100, 200, 400, 500, 500], [100, 200, 400, 500, 500]],
  ])('doubles up to its limit; with the jitter %s %s is fixed', (jitter, _fixed, least, middle) => {
    const of = (random: number) =>
      [0, 1, 2, 3, 50].map(attempt => backoffDelayMs({ ...options, jitter }, attempt, random));

    expect(of(0)).toEqual(least);
    expect(of(0.5)).toEqual(middle);
  });

  it('grows by its multiplier to its limit, and never falls', () => {
    fc.assert(
      fc.property(pace, fc.nat(5_000), (backoff, attempt) => {
        const ceiling = ceilingOf(backoff, attempt);
        expect(ceiling).toBeGreaterThanOrEqual(Math.min(backoff.maxDelayMs, backoff.initialDelayMs));
        expect(ceiling).toBeLessThanOrEqual(backoff.maxDelayMs);
        const grown = Math.min(backoff.maxDelayMs, ceiling * backoff.multiplier);
        expect(ceilingOf(backoff, attempt + 1)).toBeCloseTo(grown, 5);
      }),
    );
  });

  it.each<[Jitter, number]>([
    ['full', 0],
    ['equal', 0.5],
    ['none', 1],
  ])('is left to chance above its fixed share only: %s', (jitter, fixedShare) => {
    fc.assert(
      fc.property(pace, fc.nat(5_000), fraction, (backoff, attempt, random) => {
        const delayMs = backoffDelayMs({ ...backoff, jitter }, attempt, random);
        const ceiling = ceilingOf(backoff, attempt);
        expect(delayMs).toBeGreaterThanOrEqual(ceiling * fixedShare);
        expect(delayMs).toBeLessThanOrEqual(ceiling);
      }),
    );
  });

  it.each<Jitter>(['full', 'equal'])(
    'differs between processes that lost the same server at the same time: %s',
    jitter => {
      fc.assert(
        fc.property(fraction, fraction, (one, other) => {
          fc.pre(Math.abs(one - other) > 1e-6);
          const of = (random: number) => backoffDelayMs({ ...options, jitter }, 3, random);
          expect(of(one)).not.toBe(of(other));
        }),
      );
    },
  );
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import { type NoRetry, type RetryPolicy, RetrySchedule } from '../../lib/resilience/retry-schedule.js';

const policy: RetryPolicy = {
  maxAttempts: 3,
  initialDelayMs: 50,
  maxDelayMs: 2_000,
  multiplier: 2,
  jitter: 'none',
};
const inTime = { now: 0, remainingMs: 3_600_000, answerMs: 0 };

/** Grants as many, and notes when it was asked. */
class Purse {
  asked: number[] = [];
  constructor(private coins = Number.POSITIVE_INFINITY) {}

  take(now: number): boolean {
    this.asked.push(now);
    this.coins -= 1;
    return this.coins >= 0;
  }
}

type Hope = Parameters<RetrySchedule['next']>[0];

const after = (schedule: RetrySchedule, hopes: readonly Hope[]) =>
  hopes.map(hope => schedule.next(hope, inTime));

describe('the attempts of one RPC', () => {
  it('are as many as the policy says, the first included', () => {
    const of = (maxAttempts: number) =>
      after(new RetrySchedule({ ...policy, maxAttempts }, new Purse()), Array(4).fill('transient'));

    expect(of(1)).toEqual(['attempts', 'attempts', 'attempts', 'attempts']);
    expect(of(2)).toEqual([50, 'attempts', 'attempts', 'attempts']);
    expect(of(4)).toEqual([50, 100, 200, 'attempts']);
  });

  it('count alike where the failure is one for reads only', () => {
    const schedule = new RetrySchedule(policy, new Purse());
    expect(after(schedule, ['transient-for-reads', 'transient', 'transient-for-reads'])).toEqual([
      50,
      100,
      'attempts',
    ]);
  });

  it('have pauses that are left to chance as the policy says', () => {
    const pauseOf = (random: number) =>
      new RetrySchedule({ ...policy, jitter: 'full' }, new Purse(), () => random).next('transient', inTime);
    expect([pauseOf(0), pauseOf(0.5)]).toEqual([0, 25]);
  });

  it('take one retry each from the budget, of this moment', () => {
    const purse = new Purse();
    const schedule = new RetrySchedule(policy, purse);
    schedule.next('transient', { ...inTime, now: 7 });
    schedule.next('transient', { ...inTime, now: 9 });
    expect(purse.asked).toEqual([7, 9]);
  });

  it('end when the budget has none left', () => {
    expect(new RetrySchedule(policy, new Purse(0)).next('transient', inTime)).toBe('budget');
  });
});

describe('an RPC that meets the rate limit', () => {
  const pausesOf = (random: number) =>
    after(
      new RetrySchedule({ ...policy, maxAttempts: 2 }, new Purse(0), () => random),
      Array(6).fill('rate-limited'),
    );

  it('has a pace of its own, which neither attempts nor budget bound', () => {
    expect(pausesOf(0)).toEqual([250, 500, 1_000, 2_000, 2_500, 2_500]);
    expect(pausesOf(0.5)).toEqual([375, 750, 1_500, 3_000, 3_750, 3_750]);
    expect(pausesOf(0.999_999).every(pause => Number(pause) <= 5_000)).toBe(true);
  });

  it('never asks the budget', () => {
    const purse = new Purse();
    new RetrySchedule(policy, purse).next('rate-limited', inTime);
    expect(purse.asked).toEqual([]);
  });

  it('keeps its pace beside other failures, and they keep theirs', () => {
    const schedule = new RetrySchedule(policy, new Purse(), () => 0);
    const hopes = ['rate-limited', 'transient', 'rate-limited', 'transient', 'rate-limited'] as const;
    expect(after(schedule, hopes)).toEqual([250, 50, 500, 100, 1_000]);
    expect(after(schedule, ['transient', 'rate-limited'])).toEqual(['attempts', 2_000]);
  });

  it('is met again also where other failures are not', () => {
    const schedule = new RetrySchedule({ ...policy, maxAttempts: 1 }, new Purse(), () => 0);
    expect(after(schedule, ['transient', 'rate-limited', 'transient'])).toEqual([
      'attempts',
      250,
      'attempts',
    ]);
  });
});

describe('the reason why there is no other attempt', () => {
  it.each<[string, number, number, number, [NoRetry | number, number]]>([
    ['the attempts, before all', 2, 0, 0, ['attempts', 0]],
    ['the time, before the budget, which keeps what it has', 0, 59, 0, ['time', 0]],
    ['the budget', 0, 60, 0, ['budget', 1]],
    ['none', 0, 60, 1, [50, 1]],
  ])('is %s', (_what, failures, remainingMs, coins, expected) => {
    const purse = new Purse(coins + failures);
    const schedule = new RetrySchedule(policy, purse);
    after(schedule, Array(failures).fill('transient'));

    const pause = schedule.next('transient', { ...inTime, remainingMs });
    expect([pause, purse.asked.length - failures]).toEqual(expected);
  });

  it.each<[Hope, string, number, number, NoRetry | number]>([
    ['transient', 'pause and a short attempt fit', 60, 0, 50],
    ['transient', 'the attempt has no time', 59, 0, 'time'],
    ['transient', 'an answer as fast as the last fits', 150, 100, 50],
    ['transient', 'an answer as slow as the last does not', 149, 100, 'time'],
    ['rate-limited', 'pause and a short attempt fit', 510, 0, 500],
    ['rate-limited', 'the attempt has no time', 509, 0, 'time'],
    ['rate-limited', 'an answer as slow as the last does not', 599, 100, 'time'],
  ])('is the time for what is %s when it is short: %s', (hope, _what, remainingMs, answerMs, expected) => {
    // The longest first pause.
    const schedule = new RetrySchedule(policy, new Purse(), () => 1);
    expect(schedule.next(hope, { now: 0, remainingMs, answerMs })).toBe(expected);
  });
});

describe('a pause', () => {
  const policies = fc.record({
    maxAttempts: fc.integer({ min: 1, max: 8 }),
    initialDelayMs: fc.integer({ min: 1, max: 500 }),
    maxDelayMs: fc.integer({ min: 500, max: 5_000 }),
    multiplier: fc.double({ min: 1, max: 4, noNaN: true }),
    jitter: fc.constantFrom('full', 'equal', 'none'),
  });
  const failures = fc.record({
    hope: fc.constantFrom('transient', 'transient-for-reads', 'rate-limited'),
    remainingMs: fc.nat(6_000),
    answerMs: fc.nat(100),
  });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('and the attempt after it never pass the deadline, and no more are given than the policy says', () => {
    fc.assert(
      fc.property(policies, fc.array(failures, { maxLength: 30 }), random, (given, run, chance) => {
        const schedule = new RetrySchedule(given, new RetryBudget(false), () => chance);
        let attempts = 1;
        for (const { hope, ...times } of run) {
          const pause = schedule.next(hope, { now: 0, ...times });
          if (typeof pause !== 'number') continue;
          expect(pause).toBeGreaterThanOrEqual(0);
          expect(pause + times.answerMs).toBeLessThanOrEqual(times.remainingMs);
          expect(pause).toBeLessThan(times.remainingMs);
          if (hope !== 'rate-limited') attempts += 1;
        }
        expect(attempts).toBeLessThanOrEqual(given.maxAttempts);
      }),
    );
  });
});

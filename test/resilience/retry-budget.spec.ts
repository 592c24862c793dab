import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import { FakeClock } from '../support/fake-clock.js';

let clock: FakeClock;

beforeEach(() => {
  clock = new FakeClock();
});

function calls(budget: RetryBudget, count: number): void {
  for (let i = 0; i < count; i += 1) budget.called(clock.now());
}

/** How many retries there are at once, up to a limit. */
function takeAll(budget: RetryBudget, limit = 10_000): number {
  let taken = 0;
  while (taken < limit && budget.take(clock.now())) taken += 1;
  return taken;
}

describe('the budget of retries', () => {
  it('is a share of the calls, and a floor for each second', () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 1 });
    calls(budget, 100);
    expect(takeAll(budget)).toBe(30);
    calls(budget, 5);
    expect(takeAll(budget)).toBe(1);
  });

  it('is the floor alone for an outage after a quiet period', () => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 1 });
    clock.advance(3_600_000);
    expect(takeAll(budget)).toBe(10);
    clock.advance(9_000);
    expect(takeAll(budget)).toBe(0);
    clock.advance(1_000);
    expect(takeAll(budget)).toBe(10);
  });

  it.each([
    [9_000, 30],
    [10_000, 10],
    [3_600_000, 10],
  ])('has of what was saved %i ms ago, and of the floor, %i', (agoMs, left) => {
    const budget = new RetryBudget({ ratio: 0.2, minPerSecond: 1 });
    calls(budget, 100);
    clock.advance(agoMs);
    expect(takeAll(budget)).toBe(left);
  });

  it('gives back what was taken when that is 10 s ago, second by second', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 1 });
    for (let second = 0; second < 10; second += 1) {
      expect(budget.take(clock.now())).toBe(true);
      clock.advance(1_000);
    }
    expect([budget.take(clock.now()), budget.take(clock.now())]).toEqual([true, false]);
    clock.advance(1_000);
    expect([budget.take(clock.now()), budget.take(clock.now())]).toEqual([true, false]);
  });

  it('pays nothing for calls at the ratio 0, and nothing at all without a floor', () => {
    const floor = new RetryBudget({ ratio: 0, minPerSecond: 0.3 });
    const none = new RetryBudget({ ratio: 0, minPerSecond: 0 });
    calls(floor, 1_000);
    calls(none, 1_000);
    expect([takeAll(floor), takeAll(none)]).toEqual([3, 0]);
  });

  it('adds up shares of calls to whole retries', () => {
    const budget = new RetryBudget({ ratio: 0.3, minPerSecond: 0 });
    const taken = Array.from({ length: 10 }, () => {
      calls(budget, 1);
      return budget.take(clock.now());
    });
    expect(taken.map(Number).join('')).toBe('0001001001');
  });

  it('counts what is sent again without asking', () => {
    const budget = new RetryBudget({ ratio: 0, minPerSecond: 1 });
    for (let i = 0; i < 12; i += 1) budget.repeated(clock.now());
    expect(takeAll(budget)).toBe(0);
    clock.advance(10_000);
    expect(takeAll(budget)).toBe(10);
  });

  it('is without limit when it is off', () => {
    const budget = new RetryBudget(false);
    expect(takeAll(budget, 100_000)).toBe(100_000);
  });

  it('never gives more within 10 s than the share of their calls and the floor', () => {
    const steps = fc.array(
      fc.record({
        waitMs: fc.oneof(fc.nat(50), fc.nat(3_000), fc.nat(30_000)),
        calls: fc.nat(40),
        takes: fc.nat(40),
      }),
      { maxLength: 60 },
    );
    const rates = fc.record({
      ratio: fc.double({ min: 0, max: 1, noNaN: true }),
      minPerSecond: fc.double({ min: 0, max: 5, noNaN: true }),
    });
    fc.assert(
      fc.property(rates, steps, fc.nat(10_000), (options, run, startMs) => {
        const time = new FakeClock();
        time.advance(startMs);
        const budget = new RetryBudget(options);
        const called: number[] = [];
        const taken: number[] = [];
        const perWindow = (times: number[], now: number) =>
          // By whole seconds: the one that has begun, and the nine before.
          times.filter(at => Math.floor(at / 1_000) > Math.floor(now / 1_000) - 10).length;
        for (const step of run) {
          time.advance(step.waitMs);
          const now = time.now();
          for (let i = 0; i < step.calls; i += 1) {
            budget.called(now);
            called.push(now);
          }
          for (let i = 0; i < step.takes; i += 1) {
            const limit = perWindow(called, now) * options.ratio + 10 * options.minPerSecond;
            const fits = perWindow(taken, now) + 1 <= limit;
            // Neither more, nor less.
            expect(budget.take(now)).toBe(fits);
            if (fits) taken.push(now);
          }
        }
      }),
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { SlidingWindow } from '../../lib/resilience/sliding-window.js';

describe('a sliding window', () => {
  it('counts two kinds, each for itself', () => {
    const window = new SlidingWindow(1_000);
    window.addOne(5);
    window.addOne(6);
    window.addOther(7);
    expect(window.counts(7)).toEqual([2, 1]);
  });

  it('keeps what is in its last ten steps, and no more', () => {
    const window = new SlidingWindow(1_000);
    window.addOne(0);
    window.addOne(99);
    window.addOther(100);
    expect([window.counts(999), window.counts(1_000), window.counts(1_099), window.counts(1_100)]).toEqual([
      [2, 1],
      [0, 1],
      [0, 1],
      [0, 0],
    ]);
  });

  it('forgets everything when it is cleared, and goes on', () => {
    const window = new SlidingWindow(1_000);
    window.addOne(0);
    window.addOther(150);
    window.clear();
    expect(window.counts(150)).toEqual([0, 0]);
    window.addOther(200);
    expect(window.counts(1_199)).toEqual([0, 1]);
    expect(window.counts(1_200)).toEqual([0, 0]);
  });

  it('agrees with whoever keeps each time, whatever is added when', () => {
    const step = fc.record({
      waitMs: fc.oneof(fc.nat(3), fc.nat(200), fc.nat(30_000)),
      ones: fc.nat(3),
      others: fc.nat(3),
      clear: fc.integer({ min: 0, max: 30 }).map(each => each === 0),
    });
    const windowMs = fc.constantFrom(10, 100, 1_000, 10_000, 12_340);
    fc.assert(
      fc.property(windowMs, fc.nat(1_000_000), fc.array(step, { maxLength: 100 }), (size, startMs, steps) => {
        const window = new SlidingWindow(size);
        const stepMs = size / 10;
        let now = startMs;
        let ones: number[] = [];
        let others: number[] = [];
        const within = (times: number[]) =>
          times.filter(at => Math.floor(at / stepMs) > Math.floor(now / stepMs) - 10).length;
        for (const each of steps) {
          now += each.waitMs;
          if (each.clear) {
            window.clear();
            ones = [];
            others = [];
          }
          for (let i = 0; i < each.ones; i += 1) {
            window.addOne(now);
            ones.push(now);
          }
          for (let i = 0; i < each.others; i += 1) {
            window.addOther(now);
            others.push(now);
          }
          expect(window.counts(now)).toEqual([within(ones), within(others)]);
        }
      }),
    );
  });
});

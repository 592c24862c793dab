import { describe, expect, it } from '@jest/globals';
import { DurationHistogram } from '../../lib/telemetry/durations.js';

function snapshotOf(...durationsMs: number[]) {
  const histogram = new DurationHistogram();
  for (const ms of durationsMs) histogram.record(ms);
  return histogram.snapshot();
}

describe('a histogram of durations', () => {
  it('has no percentiles as long as there is nothing', () => {
    const nothing = Number.NaN;
    expect(snapshotOf()).toEqual({ count: 0, p50: nothing, p95: nothing, p99: nothing, max: nothing });
  });

  it('tells percentiles within a hundredth', () => {
    const hundred = Array.from({ length: 1_000 }, (_, i) => (i + 1) / 10);
    const { count, ...percentiles } = snapshotOf(...hundred);
    expect(count).toBe(1_000);
    for (const [name, expected] of Object.entries({ p50: 50, p95: 95, p99: 99, max: 100 })) {
      const told = percentiles[name as keyof typeof percentiles];
      expect(Math.abs(told - expected) / expected).toBeLessThan(0.01);
    }
  });

  it.each([
    [0, 0.001],
    [0.000_4, 0.001],
    [-1, 0.001],
    [0.25, 0.25],
    [3_600_000, 3_600_000],
    [9e12, 3_600_000],
  ])('takes %p ms for %p ms', (ms, told) => {
    const { max, count } = snapshotOf(ms);
    expect(count).toBe(1);
    expect(Math.abs(max - told) / told).toBeLessThan(0.01);
  });

  it('gives frozen snapshots that do not change', () => {
    const histogram = new DurationHistogram();
    histogram.record(1);
    const before = histogram.snapshot();
    histogram.record(100);
    expect([Object.isFrozen(before), before.count, before.max < 2]).toEqual([true, 1, true]);
  });
});

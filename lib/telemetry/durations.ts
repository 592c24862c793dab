import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

/** Percentiles of durations since the pool was made, in ms. */
export interface Durations {
  readonly count: number;
  /** `NaN` as long as there was none. */
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Two digits tell a slow call from a fast one, and keep a histogram at 27 KB. */
const FIGURES = 2;
const LONGEST_US = 3_600_000_000;

/** Node's HDR histogram, in microseconds: some 20 ns for each duration. */
export class DurationHistogram {
  private histogram?: RecordableHistogram;

  record(ms: number): void {
    this.histogram ??= createHistogram({ lowest: 1, highest: LONGEST_US, figures: FIGURES });
    // Nothing below 1 can be recorded; what took no time at all counts as a microsecond.
    this.histogram.record(Math.min(LONGEST_US, Math.max(1, Math.round(ms * 1_000))));
  }

  snapshot(): Durations {
    const { histogram } = this;
    const ms = (percentile: number) => (histogram ? histogram.percentile(percentile) / 1_000 : Number.NaN);
    return Object.freeze({
      count: histogram?.count ?? 0,
      p50: ms(50),
      p95: ms(95),
      p99: ms(99),
      max: ms(100),
    });
  }
}

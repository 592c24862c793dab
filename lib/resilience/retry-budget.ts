import { SlidingWindow } from './sliding-window.js';

export interface RetryBudgetOptions {
  /** Retries that each call pays for. */
  ratio: number;
  /** Retries that are there in any case, for each second. */
  minPerSecond: number;
}

/** What calls pay in is there for so long. Short enough that an outage does not live on what was saved before it. */
const WINDOW_SECONDS = 10;

/**
 * A token bucket for the retries of all callers together, so that an outage is not multiplied: within a window of 10 s no more
 * retries than a share of the calls, with a floor for those who call seldom.
 */
export class RetryBudget {
  private readonly callsAndRetries = new SlidingWindow(WINDOW_SECONDS * 1_000);

  /** @param options `false`: there is no limit */
  constructor(private readonly options: RetryBudgetOptions | false) {}

  /** A call pays in. */
  called(now: number): void {
    this.callsAndRetries.addOne(now);
  }

  /** Something is sent again that the budget was asked for as a whole. */
  repeated(now: number): void {
    this.callsAndRetries.addOther(now);
  }

  /** Takes one retry out, if there is one. */
  take(now: number): boolean {
    if (this.options === false) return true;
    const { ratio, minPerSecond } = this.options;
    const [calls, retries] = this.callsAndRetries.counts(now);
    if (retries + 1 > calls * ratio + minPerSecond * WINDOW_SECONDS) return false;
    this.callsAndRetries.addOther(now);
    return true;
  }
}

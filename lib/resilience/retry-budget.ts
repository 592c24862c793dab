export interface RetryBudgetOptions {
  /** Retries that each call pays for. */
  ratio: number;
  /** Retries that are there in any case, for each second. */
  minPerSecond: number;
}

/** What calls pay in is there for so long. Short enough that an outage does not live on what was saved before it. */
const WINDOW_SECONDS = 10;
const SECOND_MS = 1_000;

/**
 * A token bucket for the retries of all callers together, so that an outage is not multiplied: within a window of 10 s no more
 * retries than a share of the calls, with a floor for those who call seldom.
 */
export class RetryBudget {
  private readonly calls = new Uint32Array(WINDOW_SECONDS);
  private readonly retries = new Uint32Array(WINDOW_SECONDS);
  /** Seconds since the clock's start. */
  private second = Number.NEGATIVE_INFINITY;
  private slot = 0;

  /** @param options `false`: there is no limit */
  constructor(private readonly options: RetryBudgetOptions | false) {}

  /** A call pays in. */
  called(now: number): void {
    this.turn(now);
    this.calls[this.slot]!++;
  }

  /** Something is sent again that the budget was asked for as a whole. */
  repeated(now: number): void {
    this.turn(now);
    this.retries[this.slot]!++;
  }

  /** Takes one retry out, if there is one. */
  take(now: number): boolean {
    if (this.options === false) return true;
    this.turn(now);
    const { ratio, minPerSecond } = this.options;
    const allowed = sum(this.calls) * ratio + minPerSecond * WINDOW_SECONDS;
    if (sum(this.retries) + 1 > allowed) return false;
    this.retries[this.slot]!++;
    return true;
  }

  /** Forgets what is older than the window. */
  private turn(now: number): void {
    const second = Math.floor(now / SECOND_MS);
    if (second === this.second) return;
    const passed = Math.min(WINDOW_SECONDS, second - this.second);
    for (let step = 0; step < passed; step++) {
      this.slot = (this.slot + 1) % WINDOW_SECONDS;
      this.calls[this.slot] = 0;
      this.retries[this.slot] = 0;
    }
    this.second = second;
  }
}

function sum(counts: Uint32Array): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

import type { RetryBudget } from '../resilience/retry-budget.js';
import {
  type AttemptTimes,
  type NoRetry,
  type RetryPolicy,
  RetrySchedule,
} from '../resilience/retry-schedule.js';
import { mayRepeat, type Repeatability, type Setback } from '../resilience/setback.js';
import type { SendFigures } from './send-figures.js';

/** What decides whether anything is sent again. */
export interface SequelRules {
  readonly budget: RetryBudget;
  readonly figures: SendFigures;
  readonly random: () => number;
}

/** What follows the failed attempts of one RPC: another one, at once or after a pause, or none. */
export class Sequel {
  /** Whether what the last attempt met may pass. */
  hope: Setback['hope'] = 'none';
  /** Why there is no other one, though there may be. */
  stoppedBy?: NoRetry;
  private wentElsewhere = false;
  private readonly schedule?: RetrySchedule;

  constructor(
    private readonly repeatability: Repeatability,
    private readonly rules: SequelRules,
    retry: RetryPolicy | false,
  ) {
    if (retry) this.schedule = new RetrySchedule(retry, rules.budget, rules.random);
  }

  /**
   * Whether it goes elsewhere at once, as if it had not been sent: its connection takes no calls any more, and HTTP/2 proves that the
   * server did not look at it. Once; whom that meets again is in trouble of another kind.
   */
  elsewhere({ fate, hope }: Setback, connection: { readonly open: boolean }): boolean {
    if (fate !== 'not-processed' || hope === 'none' || connection.open || this.wentElsewhere) return false;
    this.wentElsewhere = true;
    return true;
  }

  /**
   * @param mayGoOn whether the circuit breaker lets it through
   * @returns ms before the next attempt; `undefined` when there is none
   */
  pauseMs(setback: Setback, times: AttemptTimes, mayGoOn: boolean): number | undefined {
    const { hope } = setback;
    if (hope === 'none' || !this.schedule || !mayRepeat(setback, this.repeatability)) return undefined;
    const pause = mayGoOn ? this.schedule.next(hope, times) : 'circuit';
    if (typeof pause === 'number') return pause;
    this.stoppedBy = pause;
    if (pause === 'budget') this.rules.figures.refusedByBudget();
    return undefined;
  }
}

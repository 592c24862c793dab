import type { Clock } from './clock.js';
import { SlidingWindow } from './sliding-window.js';

export interface CircuitBreakerOptions {
  failureThreshold: number;
  recoveryTimeoutMs: number;
  halfOpenSuccessThreshold: number;
  maxHalfOpenRequests: number;
  failureRate?: FailureRateOptions;
}

export interface FailureRateOptions {
  /** Share of the requests that fail, from 0 to 1. */
  threshold: number;
  minimumCalls: number;
  windowMs: number;
}

/**
 * - `closed`: requests go through
 * - `open`: they fail at once
 * - `half-open`: a few go through, to see whether the server works again; the others fail at once
 * - `disabled`: there is no breaker; what it would count is counted
 */
export type CircuitState = 'closed' | 'open' | 'half-open' | 'disabled';

/** What a request that is over says of the server: it works, it does not, or nothing. */
export type CircuitVerdict = 'success' | 'failure' | 'nothing';

/** A snapshot of a breaker; frozen. */
export interface CircuitMetrics {
  /** Requests that were let through. */
  readonly totalRequests: number;
  /** Of these, those that failed for want of a server that works. */
  readonly totalFailures: number;
  /** Requests that were not let through. */
  readonly totalFastFailures: number;
  /** Of the requests that say something of the server, those that succeeded; 100 before the first. */
  readonly successRatePercent: number;
  readonly stateChanges: number;
  /** How long the state has been what it is, in ms. */
  readonly sinceMs: number;
}

/** Shows that a request was let through, and in which state. */
export type CircuitPass = number;

const FIRST_HOLD_MS = 500;
const LONGEST_HOLD_MS = 5_000;

/** In half-open the next one may go through in a moment, in ms. */
const MOMENT_MS = 100;

/**
 * Stops requests to a server that does not answer, so that they fail in microseconds instead of at their deadlines, and the server
 * is not met by all of them when it comes back.
 */
export class CircuitBreaker {
  private current: Exclude<CircuitState, 'disabled'> = 'closed';
  private changedAt: number;
  /** Counts the states: whatever was let through in an earlier one says nothing of this one. */
  private stateChanges = 0;
  private failuresInARow = 0;
  /** In half-open: requests under way, and those that succeeded. */
  private trials = 0;
  private successes = 0;
  /** Since it was closed. */
  private failedTrials = 0;
  private requests = 0;
  private failures = 0;
  private worked = 0;
  private fastFailures = 0;
  private readonly recent?: RecentFailures;
  /** Connections whose death has been counted. */
  private readonly deaths = new WeakSet<object>();

  constructor(
    private readonly options: CircuitBreakerOptions | false,
    private readonly clock: Clock,
    private readonly onChange: (from: CircuitState, to: CircuitState) => void = () => {},
  ) {
    this.changedAt = clock.now();
    const { failureRate } = options || {};
    if (failureRate) this.recent = new RecentFailures(failureRate);
  }

  get state(): CircuitState {
    return this.options === false ? 'disabled' : this.current;
  }

  metrics(): CircuitMetrics {
    const { requests, failures, worked, fastFailures, stateChanges } = this;
    const telling = failures + worked;
    return Object.freeze({
      totalRequests: requests,
      totalFailures: failures,
      totalFastFailures: fastFailures,
      successRatePercent: telling === 0 ? 100 : (100 * worked) / telling,
      stateChanges,
      sinceMs: this.clock.now() - this.changedAt,
    });
  }

  /** Closes it, and forgets what led to its state. */
  reset(): void {
    this.close();
  }

  /** Whether a request would be refused; it is counted as refused if so. */
  refuses(): boolean {
    const refused = this.options !== false && this.current !== 'closed' && !this.mayTry();
    if (refused) this.fastFailures++;
    return refused;
  }

  /** @returns `undefined` when the request must fail at once; else to be given to {@link leave} when it is over */
  enter(): CircuitPass | undefined {
    if (this.options !== false && this.current !== 'closed') {
      if (this.refuses()) return undefined;
      if (this.current === 'open') this.change('half-open', 1);
      else this.trials++;
    }
    this.requests++;
    return this.stateChanges;
  }

  /** Whether a request that was let through may still send something. */
  holds(pass: CircuitPass): boolean {
    if (this.options === false || this.current === 'closed') return true;
    return this.current === 'half-open' && pass === this.stateChanges;
  }

  /**
   * A request that was let through is over, its retries included.
   *
   * @param via the connection that it was last sent on
   * @param died whether that connection broke under it: the death of one connection is one failure, whatever number it takes along
   */
  leave(pass: CircuitPass, verdict: CircuitVerdict, via?: object, died = false): void {
    if (verdict === 'failure') this.failures++;
    if (verdict === 'success') this.worked++;
    if (this.options === false) return;
    const late = pass !== this.stateChanges;
    if (!late && this.current === 'half-open') {
      this.trials--;
      if (verdict === 'failure') this.failedTrials++;
      return this.judge(verdict);
    }
    if (verdict === 'success') return late ? this.answered() : this.onSuccess(via);
    if (verdict === 'failure' && !late && this.current === 'closed') this.onFailure(via, died);
  }

  /** The server gave a sign of life to somebody who asked for it: it may be tried. */
  answered(): void {
    if (this.current === 'open') {
      // Whoever says that he is well while he fails what he is asked is asked less and less.
      if (this.clock.now() - this.changedAt >= this.holdMs) this.change('half-open');
    } else if (this.current === 'half-open') this.judge('success');
  }

  /** It did not. */
  unanswered(): void {
    if (this.current === 'half-open') this.judge('failure');
  }

  /** Until a request may go through, in ms, as far as is known: sooner when the server gives a sign of life. */
  get retryAfterMs(): number {
    if (this.options === false || this.current === 'closed') return 0;
    if (this.current === 'half-open') return MOMENT_MS;
    return Math.max(0, this.changedAt + this.options.recoveryTimeoutMs - this.clock.now());
  }

  /** How long it stays open after trials that failed, whatever the server says. */
  private get holdMs(): number {
    const { failedTrials } = this;
    return failedTrials === 0 ? 0 : Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** (failedTrials - 1));
  }

  private mayTry(): boolean {
    const { maxHalfOpenRequests } = this.options as CircuitBreakerOptions;
    return this.current === 'open' ? this.retryAfterMs === 0 : this.trials < maxHalfOpenRequests;
  }

  /** Half-open: one failure is enough to open it again, and a few successes to close it. */
  private judge(verdict: CircuitVerdict): void {
    if (verdict === 'failure') return this.change('open');
    if (verdict !== 'success') return;
    this.successes++;
    if (this.successes < (this.options as CircuitBreakerOptions).halfOpenSuccessThreshold) return;
    this.close();
  }

  private close(): void {
    this.failuresInARow = 0;
    this.failedTrials = 0;
    this.recent?.clear();
    this.change('closed');
  }

  private onSuccess(via: object | undefined): void {
    this.failuresInARow = 0;
    this.recent?.succeeded(this.clock.now(), via);
  }

  private onFailure(via: object | undefined, died: boolean): void {
    if (died && via) {
      if (this.deaths.has(via)) return;
      this.deaths.add(via);
    }
    const { failureThreshold } = this.options as CircuitBreakerOptions;
    this.failuresInARow++;
    const tooMany = this.recent?.failed(this.clock.now(), via) ?? false;
    if (tooMany || this.failuresInARow >= failureThreshold) this.change('open');
  }

  /** @param trials that are under way from the begin */
  private change(to: Exclude<CircuitState, 'disabled'>, trials = 0): void {
    const from = this.current;
    if (from === to) return;
    this.current = to;
    this.changedAt = this.clock.now();
    this.stateChanges++;
    this.trials = trials;
    this.successes = 0;
    this.onChange(from, to);
  }
}

/** The share of the requests that failed lately. */
class RecentFailures {
  private readonly successesAndFailures: SlidingWindow;
  private windowBegan = Number.NEGATIVE_INFINITY;
  /** What connections did in the window that is under way, and in the one before: no less than what is counted. */
  private now = new Conduct();
  private before = new Conduct();

  constructor(private readonly options: FailureRateOptions) {
    this.successesAndFailures = new SlidingWindow(options.windowMs);
  }

  succeeded(now: number, via: object | undefined): void {
    this.turn(now);
    this.successesAndFailures.addOne(now);
    if (via) this.now.working.add(via);
  }

  /** @returns whether they are too many */
  failed(now: number, via: object | undefined): boolean {
    this.turn(now);
    this.successesAndFailures.addOther(now);
    if (via) this.now.failing.add(via);
    const [successes, failures] = this.successesAndFailures.counts(now);
    const { threshold, minimumCalls } = this.options;
    const all = successes + failures;
    // Where one connection only succeeds, the server works: it is the others that are to be left alone.
    return all >= minimumCalls && failures >= threshold * all && !this.oneOnlySucceeds();
  }

  clear(): void {
    this.successesAndFailures.clear();
    this.now = new Conduct();
    this.before = new Conduct();
  }

  private oneOnlySucceeds(): boolean {
    const { now, before } = this;
    return [...now.working, ...before.working].some(
      each => !now.failing.has(each) && !before.failing.has(each),
    );
  }

  private turn(now: number): void {
    const { windowMs } = this.options;
    const passedMs = now - this.windowBegan;
    if (passedMs < windowMs) return;
    this.before = passedMs < 2 * windowMs ? this.now : new Conduct();
    this.now = new Conduct();
    this.windowBegan = now;
  }
}

/** The connections on which requests succeeded, and those on which they failed. */
class Conduct {
  readonly working = new Set<object>();
  readonly failing = new Set<object>();
}

import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitPass,
  type CircuitState,
  type CircuitVerdict,
} from '../../lib/resilience/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';

export type CircuitStep =
  | { do: 'enter' | 'refuses' | 'answered' | 'unanswered' | 'reset' }
  | { do: 'leave'; which: number; verdict: CircuitVerdict; via: number; died: boolean }
  | { do: 'wait'; ms: number };

interface UnderWay {
  pass: CircuitPass;
  /** In which spell of a state it was let through. */
  spell: number;
  trial: boolean;
}

/** What happens to a breaker, and an account of it that is kept beside it. */
export class CircuitHistory {
  readonly circuit: CircuitBreaker;
  /** What must never happen, and did. */
  readonly wrongs: string[] = [];
  refused = 0;
  private readonly clock = new FakeClock();
  private readonly connections = [{}, {}, {}, {}];
  private underWay: UnderWay[] = [];
  private state: CircuitState;
  private changes = 0;
  private since = this.clock.now();
  private entered = 0;
  /** Trials that failed since it was closed. */
  private failedTrials = 0;
  private readonly results = { success: 0, failure: 0, nothing: 0 };

  constructor(private readonly options: CircuitBreakerOptions | false) {
    this.state = options === false ? 'disabled' : 'closed';
    this.circuit = new CircuitBreaker(options, this.clock, (from, to) => {
      if (from !== this.state || to !== this.circuit.state) this.wrongs.push(`told of ${from} → ${to}`);
      this.state = to;
      if (to === 'closed') this.failedTrials = 0;
      this.changes += 1;
      this.since = this.clock.now();
    });
  }

  take(step: CircuitStep): void {
    if (step.do === 'wait') this.clock.advance(step.ms);
    else if (step.do === 'enter') this.enter();
    else if (step.do === 'refuses') this.asks();
    else if (step.do === 'leave') this.leave(step);
    else {
      const before = this.circuit.state;
      const held = this.clock.now() - this.since < this.holdMs;
      this.circuit[step.do]();
      if (step.do === 'answered' && before === 'open' && (this.circuit.state === 'open') !== held)
        this.wrongs.push(`answered, held ${held}: ${this.circuit.state}`);
      this.looksAtChange(step.do, before);
    }
    this.looksAtMetrics();
  }

  /** However it stands, it lets somebody through after its time, and with successes it closes. */
  endsWell(): void {
    if (this.options === false) return;
    const { recoveryTimeoutMs, halfOpenSuccessThreshold } = this.options;
    // What hangs is over at its deadline.
    for (const each of this.underWay.splice(0)) this.end(each, 'nothing', {}, false);
    this.clock.advance(recoveryTimeoutMs);
    if (this.circuit.refuses()) {
      this.refused += 1;
      this.wrongs.push(`stuck: ${this.circuit.state}`);
    }
    for (let i = 0; i < halfOpenSuccessThreshold; i += 1) {
      this.enter();
      const last = this.underWay.pop();
      if (last) this.end(last, 'success', {}, false);
    }
    if (this.circuit.state !== 'closed') this.wrongs.push(`not closed by successes: ${this.circuit.state}`);
    this.looksAtMetrics();
  }

  private enter(): void {
    const may = this.may();
    const pass = this.circuit.enter();
    if ((pass !== undefined) !== may) this.wrongs.push(`${pass} in ${this.state}, though ${may}`);
    if (pass === undefined) {
      this.refused += 1;
      return;
    }
    this.entered += 1;
    this.underWay.push({ pass, spell: this.changes, trial: this.state === 'half-open' });
    const limit = this.options === false ? 0 : this.options.maxHalfOpenRequests;
    if (this.trials > limit) this.wrongs.push(`${this.trials} trials at once`);
  }

  private asks(): void {
    const refused = this.circuit.refuses();
    if (refused) this.refused += 1;
    if (refused === this.may()) this.wrongs.push(`refuses: ${refused} in ${this.state}`);
  }

  private leave({ which, verdict, via, died }: Extract<CircuitStep, { do: 'leave' }>): void {
    const [each] = this.underWay.splice(which % (this.underWay.length || 1), 1);
    if (each) this.end(each, verdict, this.connections[via]!, died);
  }

  private end(each: UnderWay, verdict: CircuitVerdict, via: object, died: boolean): void {
    const before = this.circuit.state;
    const late = each.spell !== this.changes;
    if (each.trial && !late && verdict === 'failure') this.failedTrials += 1;
    this.results[verdict] += 1;
    this.circuit.leave(each.pass, verdict, via, died);
    const after = this.circuit.state;
    if (late && verdict !== 'success' && before !== after) this.wrongs.push('a late result changed it');
    if (verdict === 'nothing' && before !== after) this.wrongs.push('nothing changed it');
    if (verdict === 'failure' && !late && before === 'half-open' && after !== 'open')
      this.wrongs.push('a trial that failed did not open it');
    this.looksAtChange(verdict, before);
  }

  /** Good news never opens it, and bad news never closes it. */
  private looksAtChange(news: string, before: CircuitState): void {
    const after = this.circuit.state;
    const allowed: Record<string, string[]> = {
      success: ['open half-open', 'half-open closed'],
      answered: ['open half-open', 'half-open closed'],
      failure: ['closed open', 'half-open open'],
      unanswered: ['half-open open'],
      nothing: [],
      reset: ['open closed', 'half-open closed'],
    };
    if (before !== after && !allowed[news]!.includes(`${before} ${after}`))
      this.wrongs.push(`${news}: ${before} → ${after}`);
    if (news === 'reset' && after === 'open') this.wrongs.push('open although it was reset');
  }

  private get holdMs(): number {
    return this.failedTrials === 0 ? 0 : Math.min(5_000, 250 * 2 ** this.failedTrials);
  }

  private may(): boolean {
    if (this.options === false || this.state === 'closed') return true;
    if (this.state === 'open') return this.clock.now() - this.since >= this.options.recoveryTimeoutMs;
    return this.trials < this.options.maxHalfOpenRequests;
  }

  /** Of this spell. */
  private get trials(): number {
    return this.underWay.filter(({ trial, spell }) => trial && spell === this.changes).length;
  }

  private looksAtMetrics(): void {
    const metrics = this.circuit.metrics();
    const { success, failure } = this.results;
    const expected = {
      totalRequests: this.entered,
      totalFailures: failure,
      totalFastFailures: this.refused,
      successRatePercent: success + failure === 0 ? 100 : (100 * success) / (success + failure),
      stateChanges: this.changes,
      sinceMs: this.clock.now() - this.since,
    };
    if (JSON.stringify(metrics) !== JSON.stringify(expected))
      this.wrongs.push(`metrics ${JSON.stringify([metrics, expected])}`);
    if (this.circuit.state !== this.state)
      this.wrongs.push(`state ${this.circuit.state}, told of ${this.state}`);
    const { retryAfterMs } = this.circuit;
    if (retryAfterMs < 0 || (this.state === 'closed' && retryAfterMs > 0)) this.wrongs.push('retryAfterMs');
  }
}

import {
  CircuitBreaker,
  type CircuitPass,
  type CircuitVerdict,
} from '../../lib/resilience/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';

/** Notes what it is told. */
export class WatchedCircuit extends CircuitBreaker {
  readonly told: unknown[][] = [];

  constructor(failureThreshold = 1) {
    const settings = { recoveryTimeoutMs: 30_000, halfOpenSuccessThreshold: 2, maxHalfOpenRequests: 1 };
    super({ failureThreshold, ...settings }, new FakeClock());
  }

  override leave(pass: CircuitPass, verdict: CircuitVerdict, via?: object, died = false): void {
    this.told.push([verdict, via, died]);
    super.leave(pass, verdict, via, died);
  }

  override answered(): void {
    this.told.push(['answered']);
    super.answered();
  }

  override unanswered(): void {
    this.told.push(['unanswered']);
    super.unanswered();
  }

  open(): this {
    super.leave(this.enter()!, 'failure');
    return this;
  }

  get verdicts(): unknown[] {
    return this.told.map(([verdict]) => verdict);
  }
}

import {
  CircuitBreaker,
  type CircuitBreakerOptions,
  type CircuitPass,
} from '../../lib/resilience/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';

/** A breaker on a fake clock, with a record of its changes. */
export class CircuitRun {
  readonly clock = new FakeClock();
  readonly changes: string[] = [];
  readonly circuit: CircuitBreaker;

  constructor(options: Partial<CircuitBreakerOptions> | false = {}) {
    const settings = options && {
      failureThreshold: 3,
      recoveryTimeoutMs: 1_000,
      halfOpenSuccessThreshold: 2,
      maxHalfOpenRequests: 1,
      ...options,
    };
    this.circuit = new CircuitBreaker(settings, this.clock, (from, to) =>
      this.changes.push(`${from} → ${to}`),
    );
  }

  /** A request is let through. */
  enter(): CircuitPass {
    const pass = this.circuit.enter();
    if (pass === undefined) throw new Error(`refused while ${this.circuit.state}`);
    return pass;
  }

  succeed(via?: object): void {
    this.circuit.leave(this.enter(), 'success', via);
  }

  fail(times = 1, via?: object, died = false): void {
    for (let i = 0; i < times; i += 1) this.circuit.leave(this.enter(), 'failure', via, died);
  }

  get state() {
    return this.circuit.state;
  }
}

/** One whose breaker is open. */
export function openRun(options?: Partial<CircuitBreakerOptions>): CircuitRun {
  const run = new CircuitRun({ failureThreshold: 1, ...options });
  run.fail();
  return run;
}

/** One whose breaker is half-open, and lets nothing through yet. */
export function halfOpenRun(options?: Partial<CircuitBreakerOptions>): CircuitRun {
  const run = openRun(options);
  run.circuit.answered();
  return run;
}

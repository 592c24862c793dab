import { describe, expect, it } from '@jest/globals';
import { CircuitBreaker } from '../../lib/resilience/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';
import { CircuitRun, halfOpenRun, openRun } from './circuit-run.js';

describe('a half-open circuit', () => {
  it('lets through so many at once, and the next when one of them is over', () => {
    const run = halfOpenRun({ maxHalfOpenRequests: 2, halfOpenSuccessThreshold: 10 });
    const first = run.enter();
    expect([run.circuit.refuses(), run.circuit.retryAfterMs]).toEqual([false, 100]);
    run.enter();
    expect([run.circuit.refuses(), run.circuit.enter()]).toEqual([true, undefined]);
    run.circuit.leave(first, 'success');
    run.enter();
    expect(run.circuit.enter()).toBeUndefined();
  });

  it('counts the one that its time let through as one of them', () => {
    const run = openRun();
    run.clock.advance(1_000);
    const pass = run.enter();
    expect(run.circuit.enter()).toBeUndefined();
    run.circuit.leave(pass, 'nothing');
    expect(run.circuit.enter()).toBeDefined();
  });

  it('has taken the place when it tells of the change', () => {
    const passes: unknown[] = [];
    const options = { failureThreshold: 1, recoveryTimeoutMs: 10, halfOpenSuccessThreshold: 1 };
    const clock = new FakeClock();
    const circuit = new CircuitBreaker({ ...options, maxHalfOpenRequests: 1 }, clock, (_from, to) => {
      if (to === 'half-open') passes.push(circuit.enter());
    });
    circuit.leave(circuit.enter()!, 'failure');
    clock.advance(10);
    expect([circuit.enter() !== undefined, passes]).toEqual([true, [undefined]]);
  });

  it('is closed by so many successes', () => {
    const run = halfOpenRun();
    run.succeed();
    expect(run.state).toBe('half-open');
    run.succeed();
    expect([run.state, run.changes.at(-1)]).toEqual(['closed', 'half-open → closed']);
  });

  it('is opened by one failure, for the whole time again', () => {
    const run = halfOpenRun();
    run.succeed();
    run.clock.advance(5_000);
    run.fail();
    expect([run.state, run.circuit.retryAfterMs]).toEqual(['open', 1_000]);
    run.clock.advance(1_000);
    run.succeed();
    // The success of the time before is forgotten.
    expect(run.state).toBe('half-open');
  });

  it('is opened by the death of a connection that has been counted before', () => {
    const connection = {};
    const run = new CircuitRun({ failureThreshold: 1 });
    run.fail(1, connection, true);
    run.circuit.answered();
    run.fail(1, connection, true);
    expect(run.state).toBe('open');
  });

  it('frees the place of one that says nothing, without counting it', () => {
    const run = halfOpenRun();
    for (let i = 0; i < 5; i += 1) run.circuit.leave(run.enter(), 'nothing');
    run.succeed();
    expect(run.state).toBe('half-open');
  });

  it('takes an answer to somebody who asked for a success, and silence for a failure', () => {
    const run = halfOpenRun();
    run.circuit.answered();
    run.circuit.answered();
    expect(run.state).toBe('closed');
    const other = halfOpenRun();
    other.circuit.unanswered();
    expect(other.state).toBe('open');
  });

  it('closes with a clean slate', () => {
    const run = openRun({ failureThreshold: 3, halfOpenSuccessThreshold: 1 });
    run.fail(2);
    run.circuit.answered();
    run.succeed();
    expect(run.state).toBe('closed');
    run.fail(2);
    expect(run.state).toBe('closed');
  });

  it('is not opened, nor its places freed, by what was let through before', () => {
    const run = new CircuitRun({ failureThreshold: 1 });
    const late = [run.enter(), run.enter()];
    run.fail();
    run.circuit.answered();
    run.enter();
    for (const pass of late) run.circuit.leave(pass, 'failure');
    expect([run.state, run.circuit.enter()]).toEqual(['half-open', undefined]);
  });

  it('does not mistake a trial of the last time for one of this', () => {
    const run = halfOpenRun({ maxHalfOpenRequests: 2 });
    const [slow, failing] = [run.enter(), run.enter()];
    run.circuit.leave(failing, 'failure');
    run.clock.advance(1_000);
    run.enter();
    run.enter();
    run.circuit.leave(slow, 'nothing');
    expect(run.circuit.enter()).toBeUndefined();
    run.circuit.leave(slow, 'failure');
    expect(run.state).toBe('half-open');
  });
});

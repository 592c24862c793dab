import { describe, expect, it } from '@jest/globals';
import { CircuitBreaker } from '../../lib/resilience/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';
import { CircuitRun, halfOpenRun, openRun } from './circuit-run.js';

describe('a closed circuit', () => {
  it('opens at so many failures in a row', () => {
    const run = new CircuitRun();
    run.fail(2);
    expect(run.state).toBe('closed');
    run.fail();
    expect([run.state, run.changes]).toEqual(['open', ['closed → open']]);
  });

  it('begins the count anew after a success, on whatever connection', () => {
    const run = new CircuitRun();
    const [bad, good] = [{}, {}];
    run.fail(2, bad);
    run.succeed(good);
    run.fail(2, bad);
    expect(run.state).toBe('closed');
    run.fail(1, bad);
    expect(run.state).toBe('open');
  });

  it('takes what says nothing of the server for neither', () => {
    const run = new CircuitRun();
    run.fail(2);
    for (let i = 0; i < 10; i += 1) run.circuit.leave(run.enter(), 'nothing');
    expect(run.state).toBe('closed');
    run.fail();
    expect(run.state).toBe('open');
  });

  it('counts the death of one connection once, whatever number it takes along', () => {
    const run = new CircuitRun();
    const [first, second, third] = [{}, {}, {}];
    const passes = Array.from({ length: 100 }, () => run.enter());
    for (const pass of passes) run.circuit.leave(pass, 'failure', first, true);
    run.fail(10, second, true);
    expect(run.state).toBe('closed');
    run.fail(1, third, true);
    expect(run.state).toBe('open');
    expect(run.circuit.metrics()).toMatchObject({ totalRequests: 111, totalFailures: 111 });
  });

  it('counts each failure on a connection that lives, and then its death', () => {
    const run = new CircuitRun();
    const connection = {};
    run.fail(2, connection);
    run.fail(1, connection, true);
    expect(run.state).toBe('open');
  });

  it('lets through any number at once', () => {
    const run = new CircuitRun();
    for (let i = 0; i < 1_000; i += 1) run.enter();
    expect([run.circuit.refuses(), run.circuit.retryAfterMs]).toEqual([false, 0]);
  });

  it('does not care what others ask the server', () => {
    const run = new CircuitRun();
    run.fail(2);
    for (let i = 0; i < 5; i += 1) run.circuit.unanswered();
    run.circuit.answered();
    expect([run.state, run.changes]).toEqual(['closed', []]);
  });
});

describe('an open circuit', () => {
  it('refuses until its time is over, and tells when that is', () => {
    const run = openRun();
    run.clock.advance(999);
    expect([run.circuit.retryAfterMs, run.circuit.refuses(), run.circuit.enter()]).toEqual([
      1,
      true,
      undefined,
    ]);
    run.clock.advance(1);
    expect([run.circuit.retryAfterMs, run.circuit.refuses(), run.state]).toEqual([0, false, 'open']);
    run.enter();
    expect([run.state, run.changes]).toEqual(['half-open', ['closed → open', 'open → half-open']]);
    run.clock.advance(10_000);
    expect(run.circuit.enter()).toBeUndefined();
  });

  it('is half-open as soon as the server answers somebody who asked', () => {
    const run = openRun();
    run.circuit.unanswered();
    expect(run.state).toBe('open');
    run.circuit.answered();
    expect([run.state, run.circuit.refuses()]).toEqual(['half-open', false]);
  });

  it('is half-open after a late success; what else comes late changes nothing', () => {
    const run = new CircuitRun({ failureThreshold: 1 });
    const [success, failure, nothing, cause] = Array.from({ length: 4 }, () => run.enter());
    run.circuit.leave(cause!, 'failure');
    run.circuit.leave(failure!, 'failure');
    run.circuit.leave(nothing!, 'nothing');
    expect(run.state).toBe('open');
    run.circuit.leave(success!, 'success');
    expect([run.state, run.circuit.metrics().stateChanges]).toEqual(['half-open', 2]);
  });

  it('is not open for longer because of late failures', () => {
    const run = new CircuitRun({ failureThreshold: 1 });
    const late = run.enter();
    run.fail();
    run.clock.advance(900);
    run.circuit.leave(late, 'failure');
    run.clock.advance(100);
    expect(run.circuit.refuses()).toBe(false);
  });
});

describe('reset()', () => {
  it.each([
    ['open', openRun],
    ['half-open', halfOpenRun],
  ])('closes a circuit that is %s', (_state, make) => {
    const run = make();
    run.circuit.reset();
    expect([run.state, run.changes.at(-1)?.endsWith('→ closed')]).toEqual(['closed', true]);
    run.fail();
    expect(run.state).toBe('open');
  });

  it('forgets the failures so far, and is no change where it is closed', () => {
    const run = new CircuitRun();
    run.fail(2);
    run.circuit.reset();
    run.fail(2);
    expect([run.state, run.changes, run.circuit.metrics()]).toEqual([
      'closed',
      [],
      expect.objectContaining({ totalFailures: 4, stateChanges: 0 }),
    ]);
  });

  it('is not undone by a trial that was under way', () => {
    const run = halfOpenRun();
    const trial = run.enter();
    run.circuit.reset();
    run.circuit.leave(trial, 'failure');
    expect(run.state).toBe('closed');
  });
});

describe('a circuit that is off', () => {
  it('is never open, and counts all the same', () => {
    const run = new CircuitRun(false);
    run.fail(50);
    run.succeed();
    run.circuit.unanswered();
    run.circuit.answered();
    run.circuit.reset();
    expect([run.state, run.changes, run.circuit.refuses(), run.circuit.retryAfterMs]).toEqual([
      'disabled',
      [],
      false,
      0,
    ]);
    expect(run.circuit.metrics()).toMatchObject({
      totalRequests: 51,
      totalFailures: 50,
      totalFastFailures: 0,
      stateChanges: 0,
    });
  });
});

describe('the metrics of a circuit', () => {
  it('count everything, and tell how long the state has been what it is', () => {
    const run = new CircuitRun();
    run.succeed();
    run.circuit.leave(run.enter(), 'nothing');
    run.clock.advance(7);
    run.fail(3);
    run.clock.advance(50);
    run.circuit.refuses();
    run.circuit.enter();
    const metrics = run.circuit.metrics();
    expect(metrics).toEqual({
      totalRequests: 5,
      totalFailures: 3,
      totalFastFailures: 2,
      successRatePercent: 25,
      stateChanges: 1,
      sinceMs: 50,
    });
    expect(Object.isFrozen(metrics)).toBe(true);
  });

  it('count late results too', () => {
    const run = new CircuitRun({ failureThreshold: 1 });
    const late = [run.enter(), run.enter()];
    run.fail();
    run.circuit.leave(late[0]!, 'failure');
    run.circuit.leave(late[1]!, 'success');
    expect(run.circuit.metrics()).toMatchObject({ totalRequests: 3, totalFailures: 2 });
    expect(run.circuit.metrics().successRatePercent).toBeCloseTo(100 / 3);
  });

  it('are full of hope before the first result', () => {
    const clock = new FakeClock();
    const circuit = new CircuitBreaker(false, clock);
    clock.advance(5);
    circuit.leave(circuit.enter()!, 'nothing');
    expect(circuit.metrics()).toMatchObject({ successRatePercent: 100, sinceMs: 5 });
  });
});

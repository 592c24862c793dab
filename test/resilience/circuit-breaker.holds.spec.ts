import { describe, expect, it } from '@jest/globals';
import { CircuitRun, halfOpenRun } from './circuit-run.js';

describe('a server that says it is well, and fails what it is asked', () => {
  /** For how long its word does not count after a trial failed, in ms. */
  function hold(run: CircuitRun): number {
    run.fail();
    for (let ms = 0; ; ms += 100) {
      run.circuit.answered();
      if (run.state === 'half-open') return ms;
      run.clock.advance(100);
    }
  }

  it('is tried less and less, to every 5 s', () => {
    const run = halfOpenRun({ recoveryTimeoutMs: 60_000 });
    expect(Array.from({ length: 6 }, () => hold(run))).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
  });

  it('is tried at once where only its word failed', () => {
    const run = halfOpenRun();
    run.circuit.unanswered();
    run.circuit.answered();
    expect(run.state).toBe('half-open');
  });

  it('is tried when the time of the circuit is over, if that is sooner', () => {
    const run = halfOpenRun({ recoveryTimeoutMs: 200 });
    run.fail();
    run.clock.advance(200);
    expect(run.circuit.refuses()).toBe(false);
  });

  it.each<[string, (run: CircuitRun) => void]>([
    ['closed', run => [run.succeed(), run.succeed()]],
    ['reset', run => run.circuit.reset()],
  ])('has its word taken again once the circuit was %s', (_how, close) => {
    const run = halfOpenRun({ recoveryTimeoutMs: 60_000 });
    for (let i = 0; i < 3; i += 1) hold(run);
    close(run);
    run.fail();
    run.circuit.answered();
    expect(run.state).toBe('half-open');
  });

  it('is not let off by a late success meanwhile', () => {
    const run = new CircuitRun({ failureThreshold: 1 });
    const late = run.enter();
    run.fail();
    run.circuit.answered();
    run.fail();
    run.circuit.leave(late, 'success');
    expect(run.state).toBe('open');
  });
});

import { describe, expect, it } from '@jest/globals';
import type { AttemptOutcome } from '../../lib/transport/attempt.js';
import { answered, failed } from './attempts.js';
import { DeliveryRun, type RunOptions } from './delivery-run.js';
import { WatchedCircuit } from './watched-circuit.js';

function begun(options: RunOptions = {}) {
  const circuit = new WatchedCircuit();
  const run = new DeliveryRun({ retry: false, circuit, ...options });
  return { run: run.begin(), circuit };
}

const notReady = answered({ status: { code: 2, reason: 'not yet' } });

describe('a delivery while the circuit is open', () => {
  it('fails at once, asks for no connection, and is never known to its call', async () => {
    const circuit = new WatchedCircuit().open();
    const run = new DeliveryRun({ circuit }).begin();
    await run.clock.advanceAsync(0);
    expect(run.error).toMatchObject({ rpc: 'Search', code: 14, details: 'the circuit breaker is open' });
    expect(run.error!.failure).toEqual({ at: 'circuit', retryAfterMs: 30_000 });
    expect([run.pool.asked, run.known, run.forgotten, circuit.told]).toEqual([[], [], 0, []]);
    expect([run.figures.snapshot().attempts, circuit.metrics().totalFastFailures]).toEqual([0, 1]);
  });

  it('is not asked for what has ended: it takes nobody else a trial', async () => {
    const { run, circuit } = begun();
    await run.end(answered());
    const ended = new DeliveryRun({ circuit });
    ended.ended = true;
    ended.begin();
    await ended.clock.advanceAsync(0);
    expect(ended.error).toMatchObject({ failure: { at: 'call' } });
    expect(circuit.metrics().totalRequests).toBe(1);
  });

  it.each<[string, AttemptOutcome]>([
    ['an answer', answered()],
    ['a refusal', answered({ status: { code: 5 } })],
    ['what is away', failed()],
  ])(
    'is let through where it is to find out how the server is, and leaves the rest to whoever asks: %s',
    async (_what, outcome) => {
      const circuit = new WatchedCircuit().open();
      const run = new DeliveryRun({ circuit, probes: true, retry: false }).begin();
      await run.end(outcome);
      expect([circuit.state, circuit.told]).toEqual(['open', []]);
      expect(circuit.metrics()).toMatchObject({ totalRequests: 1, totalFastFailures: 0 });
    },
  );

  it('is sent no more, and keeps the error of what it met', async () => {
    const { run, circuit } = begun({ retry: undefined });
    circuit.open();
    await run.end(failed({ message: 'the first' }));
    expect(run.error).toMatchObject({
      details: 'the first',
      delivered: { attempts: 1, stoppedBy: 'circuit' },
    });
    expect([run.pauses, run.clock.pending, run.figures.snapshot().budgetRefusals]).toEqual([[], 0, 0]);
  });

  it('is sent no more where it opened in the pause before that', async () => {
    const { run, circuit } = begun({ retry: undefined });
    await run.end(notReady);
    circuit.open();
    await run.clock.advanceAsync(50);
    expect(run.answer).toMatchObject({ status: { code: 2 } });
    expect(run.rpc.delivered).toMatchObject({ attempts: 1, stoppedBy: 'circuit' });
    expect([run.pool.asked.length, circuit.verdicts]).toEqual([1, ['failure']]);
  });

  it('is sent again while it is closed', async () => {
    const { run, circuit } = begun({ retry: undefined });
    await run.end(failed());
    expect([circuit.state, run.pauses.length]).toEqual(['closed', 1]);
  });

  it('is sent again as a trial, but not beside one', async () => {
    const circuit = new WatchedCircuit(2);
    const earlier = new DeliveryRun({ circuit }).begin();
    circuit.open().open();
    circuit.answered();
    const trial = new DeliveryRun({ circuit }).begin();
    await earlier.end(failed());
    await trial.end(failed());
    expect([circuit.state, earlier.pauses.length, trial.pauses.length]).toEqual(['half-open', 0, 1]);
    expect(earlier.error).toMatchObject({ delivered: { stoppedBy: 'circuit' } });
  });
});

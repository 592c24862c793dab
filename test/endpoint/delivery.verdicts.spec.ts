import { describe, expect, it } from '@jest/globals';
import { PoolFailure } from '../../lib/pool/pool-failure.js';
import type { CircuitVerdict } from '../../lib/resilience/circuit-breaker.js';
import type { AttemptOutcome } from '../../lib/transport/attempt.js';
import { answered, failed } from './attempts.js';
import { DeliveryRun, poolFailure, type RunOptions } from './delivery-run.js';
import { WatchedCircuit } from './watched-circuit.js';

function begun(options: RunOptions = {}, room = true) {
  const circuit = new WatchedCircuit();
  const run = new DeliveryRun({ retry: false, circuit, ...options });
  run.pool.room = room;
  return { run: run.begin(), circuit };
}

const broke = failed({ origin: 'transport', connectionDied: true });
const notReady = answered({ status: { code: 2, reason: 'not yet' } });

/** By its call, at its deadline. */
async function cancelAfter(run: DeliveryRun, ms: number): Promise<void> {
  await run.clock.advanceAsync(ms);
  run.ended = true;
  run.delivery.cancel();
  await run.clock.advanceAsync(0);
}

describe('what a delivery tells the circuit', () => {
  it.each<[CircuitVerdict, string, AttemptOutcome]>([
    ['success', 'an answer', answered({ status: { code: 0 } })],
    ['success', 'a refusal', answered({ status: { code: 100, reason: 'collection not found' } })],
    ['success', 'the rate limit', answered({ status: { code: 8, error_code: 'RateLimit' } })],
    ['success', 'an answer that cannot be read', { ok: true, message: Buffer.from('{') }],
    ['success', 'an answer that is too large', failed({ origin: 'transport', code: 8, unreadable: true })],
    ['success', 'credentials that are refused', failed({ code: 16 })],
    ['failure', 'a server that says it cannot work', notReady],
    ['failure', 'UNAVAILABLE', failed()],
    ['failure', 'a reset', failed({ origin: 'transport', resetCode: 2 })],
    ['nothing', 'a caller who gave up', failed({ origin: 'caller', code: 1 })],
  ])('is %s of %s, once', async (verdict, _what, outcome) => {
    const { run, circuit } = begun();
    await run.end(outcome);
    expect(run.settled).toBe(true);
    expect(circuit.told).toEqual([[verdict, run.pool.member, false]]);
  });

  it('is that its connection died', async () => {
    const { run, circuit } = begun();
    await run.end(broke);
    expect(circuit.told).toEqual([['failure', run.pool.member, true]]);
  });

  it.each([
    [1_000, 'failure'],
    [999, 'nothing'],
  ])('is of a silence of %i ms: %s', async (ms, verdict) => {
    const { run, circuit } = begun();
    await run.clock.advanceAsync(ms);
    await run.end(failed({ origin: 'caller', code: 4, silent: true }));
    expect(circuit.verdicts).toEqual([verdict]);
  });

  it.each<[boolean, CircuitVerdict]>([
    [true, 'failure'],
    [false, 'nothing'],
  ])('is of a connection that lives, without an answer, by whether it hangs: %j', async (hangs, verdict) => {
    const { run, circuit } = begun({ hangs });
    await run.clock.advanceAsync(1_000);
    await run.end(failed({ origin: 'caller', code: 4, unanswered: true }));
    expect([circuit.verdicts, run.pool.verdicts]).toEqual([[verdict], ['unanswered']]);
  });

  it('is what its last attempt came to, of all its attempts', async () => {
    const { run, circuit } = begun({ retry: undefined });
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(notReady);
    expect(circuit.told).toEqual([]);
    await run.clock.advanceAsync(100);
    await run.end(answered());
    expect(circuit.verdicts).toEqual(['success']);
  });

  it('is that what it was to make exists already, as a success', async () => {
    const { run, circuit } = begun({ retry: undefined, rpc: 'CreateDatabase' });
    run.rpc.method.deserialize = message => (message.length > 2 ? JSON.parse(String(message)) : {});
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(answered({ status: { code: 65_535, reason: 'database already exist: books' } }));
    expect([circuit.verdicts, run.error]).toEqual([['success'], undefined]);
  });

  it('is what came of being sent where there is no connection for a second time', async () => {
    const { run, circuit } = begun({ retry: undefined });
    await run.end(notReady);
    run.pool.room = false;
    await run.clock.advanceAsync(50);
    run.pool.fail('no-room');
    await run.clock.advanceAsync(0);
    expect(circuit.verdicts).toEqual(['failure']);
  });

  it('is nothing of a caller who gives up in a pause', async () => {
    const { run, circuit } = begun({ retry: undefined });
    await run.end(notReady);
    await cancelAfter(run, 10);
    expect(circuit.verdicts).toEqual(['nothing']);
  });
});

describe('what a delivery that found no connection tells the circuit', () => {
  const unreachable = (confirmed: boolean) =>
    new PoolFailure('unreachable', poolFailure('unreachable').snapshot, undefined, undefined, confirmed);

  it.each<[CircuitVerdict, string, PoolFailure]>([
    ['failure', 'a server that is away for certain', unreachable(true)],
    ['nothing', 'a server that may be', unreachable(false)],
    ['nothing', 'a full line', poolFailure('line-full')],
    ['nothing', 'no room', poolFailure('no-room')],
    ['nothing', 'the end of the pool', poolFailure('closed')],
    ['nothing', 'a lease whose connection is gone', poolFailure('lease-lost')],
  ])('is %s of %s, once', async (verdict, _what, failure) => {
    const { run, circuit } = begun({}, false);
    run.pool.waiting.shift()!.user.fail(failure);
    await run.clock.advanceAsync(0);
    expect(circuit.told).toEqual([[verdict, undefined, false]]);
  });

  it.each<[CircuitVerdict, string, PoolFailure, number]>([
    ['failure', 'at its deadline, of a server that is away for certain', unreachable(true), 1_000],
    ['nothing', 'at its deadline, of a server that may be', unreachable(false), 1_000],
    ['nothing', 'at its deadline, for want of room', poolFailure('no-room'), 1_000],
    ['nothing', 'when its caller gives up', unreachable(true), 999],
  ])('is %s %s', async (verdict, _what, why, ms) => {
    const { run, circuit } = begun({ deadlineMs: 1_000 }, false);
    Object.assign(run.pool, { why });
    await cancelAfter(run, ms);
    expect([run.settled, circuit.verdicts]).toEqual([true, [verdict]]);
  });

  it('is nothing of one that came too late to be sent', async () => {
    const { run, circuit } = begun({ timeoutMs: 100 }, false);
    await run.clock.advanceAsync(99.5);
    run.pool.give();
    await run.clock.advanceAsync(0);
    expect([run.error?.failure.at, circuit.verdicts]).toEqual(['line', ['nothing']]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { connectedRun, PoolRun, type PoolSettings, runWith } from './pool-run.js';

/** Nothing is said on it to a check until the test does. */
function silent(run: PoolRun): FakeConnection {
  const connection = new FakeConnection(Number.POSITIVE_INFINITY, run.clock);
  connection.onCheck = 'waits';
  return connection;
}

/** The server was away, and takes a connection now; a call waits for it. */
async function returningRun(settings: PoolSettings = {}) {
  const run = new PoolRun(settings);
  const guest = run.acquire();
  await run.refused();
  await run.clock.advanceAsync(run.clock.nextInMs!);
  const connection = await run.connected(silent(run));
  return { run, guest, connection };
}

describe('a new connection after a try that failed', () => {
  it('gets calls when it has shown that it lives', async () => {
    const { run, guest, connection } = await returningRun();
    expect([connection.checked, guest.fate, run.pool.state]).toEqual([1, 'waiting', 'unavailable']);
    expect(run.acquire().fate).toBe('waiting');
    connection.answerChecks(true);
    await settled();
    expect(run.guests.map(each => each.connection)).toEqual([connection, connection]);
    expect([run.pool.state, run.wrongs]).toEqual(['ready', []]);
    expect(run.events.filter(event => event.includes('→'))).toEqual([
      'idle → connecting',
      'connecting → unavailable',
      'unavailable → ready',
    ]);
  });

  it('is destroyed when it says nothing for a second: one more try that failed', async () => {
    const { run, guest, connection } = await returningRun();
    await run.clock.advanceAsync(999);
    expect([connection.open, run.network.triedAtMs.length]).toEqual([true, 2]);
    await run.clock.advanceAsync(1);
    expect([connection.closed, guest.fate, run.pool.state]).toEqual([true, 'waiting', 'unavailable']);
    expect(run.events.slice(-2)).toEqual(expect.arrayContaining(['closed: failed', 'failed: timeout']));
    expect(run.pool.whyNone().connectError?.message).toMatch(
      /^Milvus: a new connection was accepted, but nothing was answered on it within 1000 ms$/,
    );
    // The pause before the next try grows as after one that was refused.
    expect(run.clock.nextInMs).toBe(100);
    await run.clock.advanceAsync(100);
    const next = await run.connected(silent(run));
    next.answerChecks(true);
    await settled();
    expect(guest.connection).toBe(next);
  });

  it('is the only one meanwhile', async () => {
    const { run } = await returningRun({ minConnections: 3 });
    run.acquireAll(20);
    await run.clock.advanceAsync(900);
    expect([run.network.trying.length, run.network.triedAtMs.length]).toEqual([0, 2]);
  });

  it('is no new try to a pool that is closed meanwhile, and does not hold it up', async () => {
    const { run, connection } = await returningRun();
    run.close('destroy');
    connection.answerChecks(false);
    await settled();
    await run.clock.advanceAsync(60_000);
    expect([run.closed, run.pool.state, run.network.triedAtMs.length, run.clock.pending]).toEqual([
      true,
      'closed',
      2,
      0,
    ]);
    expect(run.pool.stats().closed).toMatchObject({ drain: 1, failed: 0 });
  });

  it('does not count where it went away while it was asked', async () => {
    const { run, guest, connection } = await returningRun();
    connection.goaway();
    connection.answerChecks(true);
    await settled();
    expect([guest.fate, run.pool.stats().connections.size]).toEqual(['waiting', 0]);
    await run.clock.advanceAsync(run.clock.nextInMs!);
    const next = await run.connected();
    await settled();
    expect(guest.connection).toBe(next);
  });

  it('takes the place of an old one without being asked twice', async () => {
    const [run, old] = await connectedRun({ maxConnections: 2 });
    // A try to grow failed.
    run.acquireAll(9);
    await run.refused();
    expect(run.pool.state).toBe('degraded');
    const renewed = run.pool.reconnect();
    const next = await run.connected(silent(run));
    next.answerChecks(true);
    await renewed;
    expect([next.checked, old.open, run.acquire().connection]).toEqual([1, false, next]);
  });
});

describe('a new connection otherwise', () => {
  it.each(['the first', 'one more'])('gets calls without being asked: %s', async which => {
    const run = which === 'the first' ? new PoolRun() : (await connectedRun())[0];
    const guests = run.acquireAll(10);
    const connection = await run.connected(silent(run));
    expect([connection.checked, guests.every(({ fate }) => fate === 'served')]).toEqual([0, true]);
  });

  it('is asked no more once one has worked', async () => {
    const { run, connection } = await returningRun();
    connection.answerChecks(true);
    await settled();
    run.acquireAll(10);
    const next = await run.connected(silent(run));
    expect(next.checked).toBe(0);
  });
});

describe('what the pool tells of a server that is away', () => {
  it('is certain after a try that failed', async () => {
    const run = new PoolRun();
    run.acquire();
    expect(run.pool.whyNone()).toMatchObject({ reason: 'unreachable', confirmed: false });
    await run.refused();
    expect(run.pool.whyNone()).toMatchObject({ reason: 'unreachable', confirmed: true });
  });

  it('is certain after a try that takes a second', async () => {
    const run = new PoolRun();
    run.acquire();
    await run.clock.advanceAsync(999);
    expect(run.pool.whyNone().confirmed).toBe(false);
    await run.clock.advanceAsync(1);
    expect(run.pool.whyNone().confirmed).toBe(true);
  });
});

describe('whether anything was answered', () => {
  it('is by the time of the last answer on any connection', async () => {
    const [run] = await runWith(2, { maxConnections: 2 });
    const now = run.clock.now();
    expect(run.pool.answeredSince(0)).toBe(false);
    run.acquire();
    run.acquire().ends('answered');
    run.guests[0]!.ends('failed');
    expect([run.pool.answeredSince(now), run.pool.answeredSince(now + 1)]).toEqual([true, false]);
  });
});

import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { connectedRun, PoolRun, runWith } from './pool-run.js';

/** A connection that answers no check until the test does. */
function reticent(run: PoolRun): FakeConnection {
  const connection = new FakeConnection(Number.POSITIVE_INFINITY, run.clock);
  connection.onCheck = 'waits';
  return connection;
}

describe('connections that nobody needs any more', () => {
  it('are closed after idleTimeoutMs, the last ones first, down to minConnections and no further', async () => {
    const [run, connections] = await runWith(3, { minConnections: 1, idleTimeoutMs: 1_000 });
    run.acquire().ends();
    await run.clock.advanceAsync(1_000);
    expect(connections.map(({ closed }) => closed)).toEqual([false, true, true]);
    expect(run.pool.stats()).toMatchObject({ connections: { size: 1, overflow: 0 }, closed: { idle: 2 } });
    await run.clock.advanceAsync(100_000);
    expect([connections[0]!.open, run.network.triedAtMs.length, run.clock.pending]).toEqual([true, 3, 0]);
  });

  it('are all closed with minConnections 0', async () => {
    const run = new PoolRun({ minConnections: 0, idleTimeoutMs: 1_000 });
    const guest = run.acquire();
    const connection = await run.connected();
    guest.ends();
    await run.clock.advanceAsync(2_000);
    expect([connection.closed, run.network.trying.length, run.pool.state]).toEqual([true, 0, 'idle']);
  });

  it('are kept while they have calls, and for idleTimeoutMs after the last', async () => {
    const [run, [first, second]] = await runWith(2, { minConnections: 1, idleTimeoutMs: 1_000 });
    const guests = run.acquireAll(2);
    await run.clock.advanceAsync(5_500);
    guests[1]!.ends();
    await run.clock.advanceAsync(999);
    expect(second!.open).toBe(true);
    await run.clock.advanceAsync(1);
    expect([first!.open, second!.closed]).toEqual([true, true]);
  });

  it('are kept for ever with idleTimeoutMs 0', async () => {
    const [run, connections] = await runWith(3, { minConnections: 0 });
    expect(run.clock.pending).toBe(0);
    await run.clock.advanceAsync(10_000_000);
    expect(connections.every(({ open }) => open)).toBe(true);
  });

  it('are kept when another one would be opened at once', async () => {
    const [run, [busy, idle]] = await runWith(2, {
      minConnections: 1,
      maxConnections: 2,
      idleTimeoutMs: 1_000,
    });
    for (let i = 0; i < 18; i += 1) run.acquire();
    for (const guest of run.guests) if (guest.connection === idle) guest.ends();
    expect(busy!.inFlight).toBe(9);
    await run.clock.advanceAsync(5_000);
    expect([idle!.open, run.network.triedAtMs.length]).toEqual([true, 2]);
    run.guests[0]!.ends();
    await run.clock.advanceAsync(1_000);
    expect(idle!.closed).toBe(true);
  });

  it('does not close one that somebody waits for', async () => {
    const [run, [first, second]] = await runWith(2, {
      minConnections: 1,
      maxConnections: 2,
      maxStreamsPerConnection: 1,
      idleTimeoutMs: 1_500,
      validateAfterIdleMs: 1_000,
    });
    second!.onCheck = 'waits';
    run.acquire();
    await run.clock.advanceAsync(1_400);
    const guest = run.acquire();
    expect([guest.fate, second!.beingChecked, first!.inFlight]).toEqual(['waiting', true, 1]);
    await run.clock.advanceAsync(200);
    second!.answerChecks(true);
    await settled();
    expect(guest.connection).toBe(second);
  });
});

describe('connections that have had their time', () => {
  it('are replaced: a new one is opened, looked at and swapped in, the old one ends its calls', async () => {
    const [run, old] = await connectedRun({ maxLifetimeMs: 10_000, maxConnections: 1 });
    const guest = run.acquire();
    await run.clock.advanceAsync(9_000);
    expect([old.open, run.network.trying.length]).toEqual([true, 1]);
    const fresh = await run.connected(reticent(run));
    expect(run.pool.stats()).toMatchObject({ connections: { size: 1, creating: 1, leaving: 0 }, created: 2 });
    expect(run.acquire().connection).toBe(old);
    fresh.answerChecks(true);
    await settled();
    expect([old.open, old.closed, run.acquire().connection === fresh]).toEqual([false, false, true]);
    expect(run.pool.stats().connections).toMatchObject({ size: 1, creating: 0, leaving: 1 });
    for (const each of [guest, run.guests[1]!]) each.ends();
    await settled();
    expect([old.closed, run.pool.stats().closed.lifetime, run.wrongs]).toEqual([true, 1, []]);
    // And the new one in its time.
    await run.clock.advanceAsync(9_000);
    expect(run.network.trying.length).toBe(1);
  });

  it.each([
    [0, 9_000],
    [0.5, 10_000],
    [0.999_999_999, 11_000],
  ])('are due within a tenth of maxLifetimeMs: at %p of it after %p ms', async (fraction, dueMs) => {
    const run = new PoolRun({ maxLifetimeMs: 10_000 }, () => fraction);
    run.pool.start();
    await run.connected();
    await run.clock.advanceAsync(dueMs - 1);
    expect(run.network.trying.length).toBe(0);
    await run.clock.advanceAsync(1);
    expect(run.network.trying.length).toBe(1);
  });

  it('stay in their place while no new one can be had, which is tried again with pauses', async () => {
    const [run, old] = await connectedRun({ maxLifetimeMs: 10_000 });
    await run.clock.advanceAsync(9_000);
    await run.refused();
    expect([run.acquire().connection, run.pool.state, run.network.trying.length]).toEqual([
      old,
      'degraded',
      0,
    ]);
    await run.clock.advanceAsync(50);
    const silent = await run.connected(reticent(run));
    await run.clock.advanceAsync(1_000);
    expect([silent.closed, old.open, run.network.trying.length]).toEqual([true, true, 0]);
    expect(run.events).toContain('failed: timeout');
    await run.clock.advanceAsync(200);
    const fresh = await run.connected();
    expect([run.acquire().connection, run.pool.state]).toEqual([fresh, 'ready']);
    expect(run.pool.stats()).toMatchObject({ created: 3, closed: { failed: 1 } });
  });

  it('keeps the place, so that calls go where they went', async () => {
    const [run, [first, second]] = await runWith(2, { maxLifetimeMs: 10_000, maxConnections: 2 });
    await run.clock.advanceAsync(9_000);
    const fresh = await run.connected();
    const guest = run.acquire();
    expect([guest.connection, first!.closed, second!.open]).toEqual([fresh, true, true]);
  });

  it('are just closed when they are idle and more than are needed', async () => {
    const [run, connections] = await runWith(2, { minConnections: 1, maxLifetimeMs: 10_000 });
    await run.clock.advanceAsync(9_000);
    expect(connections.map(({ closed }) => closed)).toEqual([false, true]);
    expect(run.network.trying.length).toBe(1);
    await run.connected();
    expect(run.pool.stats()).toMatchObject({ connections: { size: 1 }, closed: { lifetime: 2 } });
  });

  it('are kept for ever with maxLifetimeMs 0', async () => {
    const [run, connection] = await connectedRun();
    await run.clock.advanceAsync(100_000_000);
    expect([connection.open, run.network.triedAtMs.length]).toEqual([true, 1]);
  });

  it('are not forgotten when a reconnect fails meanwhile', async () => {
    const [run, old] = await connectedRun({ maxLifetimeMs: 10_000 });
    await run.clock.advanceAsync(9_000);
    await run.refused();
    const renewed = run.pool.reconnect();
    await run.refused();
    await expect(renewed).rejects.toMatchObject({ reason: 'unreachable' });
    await run.clock.advanceAsync(5_000);
    expect(run.network.trying.length).toBe(1);
    await run.connected();
    expect([old.closed, run.pool.stats().closed.lifetime]).toEqual([true, 1]);
  });

  it('leaves no timer when the pool closes', async () => {
    const [run] = await connectedRun({ maxLifetimeMs: 10_000, idleTimeoutMs: 1_000, minConnections: 0 });
    expect(run.clock.pending).toBe(1);
    run.close();
    expect(run.clock.pending).toBe(0);
  });

  it('leaves nothing of a replacement that is being looked at when the pool closes', async () => {
    const [run] = await connectedRun({ maxLifetimeMs: 10_000 });
    await run.clock.advanceAsync(9_000);
    const fresh = await run.connected(reticent(run));
    run.close();
    await settled();
    expect([fresh.closed, run.closed, run.clock.pending]).toEqual([true, true, 0]);
    expect(run.pool.stats().closed).toMatchObject({ drain: 2, failed: 0 });
  });
});

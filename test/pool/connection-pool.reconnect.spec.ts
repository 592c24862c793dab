import { describe, expect, it } from '@jest/globals';
import { PoolFailure } from '../../lib/pool/pool-failure.js';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { connectedRun, PoolRun, runWith } from './pool-run.js';

/** What a promise has come to by now. */
function watch(promise: Promise<unknown>): { outcome: unknown } {
  const seen: { outcome: unknown } = { outcome: 'pending' };
  promise.then(
    () => (seen.outcome = 'done'),
    error => (seen.outcome = error),
  );
  return seen;
}

describe('reconnect()', () => {
  it('replaces every shared connection, one after the other, and loses no call', async () => {
    const [run, old] = await runWith(3, { maxConnections: 3 });
    const guests = run.acquireAll(3);
    const renewed = watch(run.pool.reconnect());
    for (let i = 0; i < 3; i += 1) {
      expect([renewed.outcome, run.network.trying.length]).toEqual(['pending', 1]);
      await run.connected();
    }
    expect([renewed.outcome, run.network.trying.length]).toEqual(['done', 0]);
    expect(old.map(({ open, closed }) => [open, closed])).toEqual([
      [false, false],
      [false, false],
      [false, false],
    ]);
    for (const guest of guests) guest.ends();
    await settled();
    expect(run.pool.stats()).toMatchObject({
      connections: { size: 3, leaving: 0 },
      closed: { reconnect: 3 },
    });
  });

  it('gives everybody the same promise while it is under way', async () => {
    const [run] = await connectedRun();
    const first = run.pool.reconnect();
    expect(run.pool.reconnect()).toBe(first);
    await run.connected();
    await first;
    expect(run.network.triedAtMs.length).toBe(2);
    const second = run.pool.reconnect();
    expect(second).not.toBe(first);
    await run.connected();
    await second;
    expect(run.network.triedAtMs.length).toBe(3);
  });

  it('does not begin anew for who asks in the middle of it', async () => {
    const [run] = await runWith(2, { maxConnections: 2 });
    const renewed = watch(run.pool.reconnect());
    await run.connected();
    void run.pool.reconnect();
    await run.connected();
    expect([renewed.outcome, run.network.triedAtMs.length, run.network.trying.length]).toEqual([
      'done',
      4,
      0,
    ]);
  });

  it('opens one when there is none, also before anything was asked for', async () => {
    const run = new PoolRun({ minConnections: 0 });
    const renewed = watch(run.pool.reconnect());
    expect([renewed.outcome, run.network.trying.length]).toEqual(['pending', 1]);
    await run.connected();
    expect([renewed.outcome, run.pool.stats().connections.size]).toEqual(['done', 1]);
  });

  it('does not wait for the pause of a server that was gone', async () => {
    const run = new PoolRun();
    run.pool.start();
    for (let i = 0; i < 6; i += 1) {
      await run.refused();
      await run.clock.advanceAsync(i < 5 ? run.clock.nextInMs! : 0);
    }
    expect(run.network.trying.length).toBe(0);
    const renewed = watch(run.pool.reconnect());
    expect(run.network.trying.length).toBe(1);
    await run.connected();
    expect([renewed.outcome, run.pool.state]).toEqual(['done', 'ready']);
  });

  it('fails when one cannot be opened; those that are left stay and are replaced no more', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2 });
    const renewed = watch(run.pool.reconnect());
    await run.connected();
    await run.refused('tls');
    expect(renewed.outcome).toBeInstanceOf(PoolFailure);
    expect(renewed.outcome).toMatchObject({ reason: 'unreachable', connectError: { failure: 'tls' } });
    expect([first!.closed, second!.open, run.pool.stats().connections.size]).toEqual([true, true, 2]);
    await run.clock.advanceAsync(60_000);
    expect([run.network.triedAtMs.length, run.clock.pending, run.pool.state]).toEqual([4, 0, 'ready']);
  });

  it('fails when the new one says nothing, and keeps the old one', async () => {
    const [run, old] = await connectedRun();
    const renewed = watch(run.pool.reconnect());
    const silent = new FakeConnection(Number.POSITIVE_INFINITY, run.clock);
    silent.onCheck = 'waits';
    await run.connected(silent);
    await run.clock.advanceAsync(999);
    expect(renewed.outcome).toBe('pending');
    await run.clock.advanceAsync(1);
    expect(renewed.outcome).toMatchObject({ reason: 'unreachable', connectError: { failure: 'timeout' } });
    expect([silent.closed, run.acquire().connection]).toEqual([true, old]);
  });

  it('is done when the old ones went away by themselves', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2, minConnections: 1 });
    const renewed = watch(run.pool.reconnect());
    second!.break();
    first!.break();
    expect(renewed.outcome).toBe('pending');
    await run.connected();
    expect(renewed.outcome).toBe('done');
  });

  it('leaves leased connections alone until they are released', async () => {
    const [run] = await connectedRun({ maxConnections: 4 });
    const holder = run.lease();
    const leased = await run.connected();
    const renewed = watch(run.pool.reconnect());
    await run.connected();
    const guest = holder.acquire();
    expect([renewed.outcome, leased.open, guest.fate]).toEqual(['done', true, 'served']);
    guest.ends();
    holder.release();
    await settled();
    expect([leased.closed, run.pool.stats().closed.reconnect]).toEqual([true, 2]);
  });

  it('is refused by a closed pool, and ended by one that closes', async () => {
    const [run] = await connectedRun();
    const renewed = watch(run.pool.reconnect());
    run.close();
    await settled();
    expect(renewed.outcome).toMatchObject({ reason: 'closed' });
    await expect(run.pool.reconnect()).rejects.toMatchObject({ reason: 'closed' });
  });
});

import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { connectedRun, type PoolRun, type PoolSettings, runWith } from './pool-run.js';

const heldOf = (run: PoolRun) => run.pool.stats().leases.held;

/** A pool with one shared connection and so many leases. */
async function leasedRun(count: number, settings: PoolSettings = {}): Promise<[PoolRun, FakeConnection[]]> {
  const [run] = await connectedRun({ maxConnections: 1, ...settings });
  const connections: FakeConnection[] = [];
  for (let i = 0; i < count; i += 1) {
    run.lease();
    connections.push(await run.connected());
  }
  return [run, connections];
}

describe('a lease', () => {
  it('gets a connection of its own, also beside a pool of one', async () => {
    const [run, shared] = await connectedRun({ maxConnections: 1 });
    const holder = run.lease();
    expect([holder.fate, run.network.trying.length]).toEqual(['waiting', 1]);
    const own = await run.connected();
    expect([holder.fate, holder.connection]).toEqual(['served', own]);
    expect([run.acquire().connection, holder.acquire().connection]).toEqual([shared, own]);
    expect(run.pool.stats()).toMatchObject({
      connections: { size: 1 },
      inFlight: 2,
      leases: { held: 1, pending: 0 },
    });
  });

  it('takes an idle shared one that is more than the minimum, the last first', async () => {
    const [run, connections] = await runWith(3, { minConnections: 1 });
    run.acquire();
    expect([run.lease().connection, run.lease().connection]).toEqual([connections[2], connections[1]]);
    expect(run.lease().fate).toBe('waiting');
    expect(run.network.trying.length).toBe(1);
  });

  it.each([
    ['busy', (_run: PoolRun, each: FakeConnection) => each.send()],
    ['gone', (_run: PoolRun, each: FakeConnection) => each.die()],
    ['idle for long', (run: PoolRun) => run.clock.advance(2_000)],
    ['full', (_run: PoolRun, each: FakeConnection) => each.changeMaxStreams(0)],
  ])('does not take a shared one that is %s', async (_what, happens) => {
    const [run, [, second]] = await runWith(2, { minConnections: 1, validateAfterIdleMs: 1_000 });
    run.acquire();
    happens(run, second!);
    expect([run.lease().fate, run.network.trying.length]).toEqual(['waiting', 1]);
  });

  it('does not take one that is about to be replaced', async () => {
    const [run] = await runWith(2, { minConnections: 1 });
    void run.pool.reconnect();
    expect(run.lease().fate).toBe('waiting');
  });

  it('comes first to who waited longest, and never more than maxLeases at once', async () => {
    const [run] = await leasedRun(2, { maxLeases: 2 });
    const third = run.lease();
    const fourth = run.lease();
    expect([third.fate, run.network.trying.length, run.pool.stats().leases]).toEqual([
      'waiting',
      0,
      { held: 2, pending: 2, max: 2 },
    ]);
    third.leave();
    const [first] = run.holders;
    first!.release();
    expect([third.fate, fourth.fate, fourth.connection, run.wrongs]).toEqual([
      'left',
      'served',
      first!.connection,
      [],
    ]);
    expect(run.network.triedAtMs.length).toBe(3);
  });

  it('comes after calls that wait, and before a connection to grow by', async () => {
    const [run] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 2 });
    run.acquire();
    const holder = run.lease();
    const guest = run.acquire();
    await run.connected();
    expect([guest.fate, holder.fate]).toEqual(['served', 'waiting']);
    await run.connected();
    expect(holder.fate).toBe('served');
  });

  it('is refused by a full line', async () => {
    const [run] = await leasedRun(1, { maxLeases: 1, maxPending: 2 });
    const reasons = [run.lease(), run.lease(), run.lease()].map(({ reason }) => reason);
    expect(reasons).toEqual([undefined, undefined, 'no-lease']);
    expect(run.holders.at(-1)!.failure!.snapshot).toMatchObject({ pending: 2, leases: 1, maxLeases: 1 });
  });

  it('says at the limit whether all were held or none could be opened', async () => {
    const [run] = await leasedRun(1, { maxLeases: 1 });
    const holder = run.lease(100);
    run.clock.advance(100);
    expect(holder.failure).toMatchObject({ reason: 'no-lease', snapshot: { leases: 1, maxLeases: 1 } });
    const [other] = await connectedRun();
    const alone = other.lease(100);
    await other.refused();
    other.clock.advance(100);
    expect(alone.failure).toMatchObject({ reason: 'unreachable', connectError: { failure: 'unreachable' } });
    expect([run, other].map(({ pool }) => pool.stats().acquireTimeouts)).toEqual([1, 1]);
  });

  it('waits for its own limit, not for acquireTimeoutMs', async () => {
    const [run] = await leasedRun(1, { maxLeases: 1, acquireTimeoutMs: 50 });
    const holder = run.lease(200);
    run.clock.advance(199);
    expect(holder.fate).toBe('waiting');
    run.clock.advance(1);
    expect(holder.fate).toBe('failed');
  });

  it('that nobody waits for any more leaves its connection to all, or to nobody', async () => {
    const [run] = await connectedRun({ maxConnections: 2 });
    const holder = run.lease();
    holder.leave();
    const extra = await run.connected();
    expect([extra.open, run.pool.stats().connections.size]).toEqual([true, 2]);
    const [full] = await connectedRun({ maxConnections: 1 });
    full.lease().leave();
    const useless = await full.connected();
    expect([useless.closed, full.pool.stats().closed.idle]).toEqual([true, 1]);
  });
});

describe('the calls of a lease', () => {
  it('wait for room on its connection, first come, first served', async () => {
    const [run, [own]] = await leasedRun(1, { maxStreamsPerConnection: 1, maxPending: 2 });
    const holder = run.holders[0]!;
    const guests = [1, 2, 3, 4].map(() => holder.acquire());
    expect(guests.map(({ fate, reason }) => reason ?? fate)).toEqual([
      'served',
      'waiting',
      'waiting',
      'lease-full',
    ]);
    expect(run.pool.stats().pending).toBe(0);
    guests[1]!.leave();
    guests[0]!.ends();
    expect([guests[2]!.connection, run.wrongs]).toEqual([own, []]);
  });

  it('wait no longer than their limit or acquireTimeoutMs', async () => {
    const [run] = await leasedRun(1, { maxStreamsPerConnection: 1, acquireTimeoutMs: 300 });
    const holder = run.holders[0]!;
    holder.acquire();
    const guests = [holder.acquire(100), holder.acquire(5_000)];
    run.clock.advance(100);
    expect(guests.map(({ reason }) => reason)).toEqual(['lease-full', undefined]);
    run.clock.advance(200);
    expect(guests[1]!.reason).toBe('lease-full');
    expect(run.pool.stats().acquireTimeouts).toBe(2);
  });

  it('get no room of the shared ones, nor those of it', async () => {
    const [run] = await leasedRun(1, { maxStreamsPerConnection: 1 });
    const holder = run.holders[0]!;
    run.acquire();
    const shared = run.acquire();
    const own = [holder.acquire(), holder.acquire()];
    own[0]!.ends();
    expect([shared.fate, own[1]!.fate]).toEqual(['waiting', 'served']);
    run.guests[0]!.ends();
    expect([shared.fate, run.wrongs]).toEqual(['served', []]);
  });

  it('fail when its connection is gone, those that wait too; it counts as held until it is released', async () => {
    const [run, [own]] = await leasedRun(1, { maxStreamsPerConnection: 1, maxLeases: 1 });
    const holder = run.holders[0]!;
    holder.acquire();
    const waiting = holder.acquire();
    const next = run.lease();
    run.clock.advance(1_000);
    own!.break();
    expect([waiting.reason, holder.acquire().reason, heldOf(run), next.fate]).toEqual([
      'lease-lost',
      'lease-lost',
      1,
      'waiting',
    ]);
    expect(run.pool.stats().closed.failed).toBe(1);
    holder.release();
    expect([heldOf(run), run.network.trying.length]).toEqual([0, 1]);
    await run.connected();
    expect(next.fate).toBe('served');
  });

  it('end by GOAWAY as with any other connection', async () => {
    const [run, [own]] = await leasedRun(1);
    const holder = run.holders[0]!;
    const guest = holder.acquire();
    own!.goaway();
    expect([own!.closed, holder.acquire().reason]).toEqual([false, 'lease-lost']);
    guest.ends();
    await settled();
    expect([own!.closed, run.pool.stats().closed.goaway]).toEqual([true, 1]);
  });

  it('go on when a check of its connection is not answered', async () => {
    const [run, [own]] = await leasedRun(1);
    const holder = run.holders[0]!;
    own!.onCheck = 'waits';
    holder.acquire().ends('silent');
    const waiting = holder.acquire();
    expect([own!.checked, waiting.fate]).toEqual([1, 'waiting']);
    await run.clock.advanceAsync(1_000);
    expect([own!.open, holder.acquire().fate]).toEqual([true, 'served']);
  });

  it('may fail as often as they like: nobody else has its connection', async () => {
    const [run] = await leasedRun(1);
    const holder = run.holders[0]!;
    for (let i = 0; i < 5; i += 1) {
      run.acquire().ends('answered');
      holder.acquire().ends('failed');
      run.clock.advance(1);
    }
    expect([holder.acquire().fate, run.clock.pending]).toEqual(['served', 0]);
  });
});

describe('a released lease', () => {
  it('leaves its connection to all if there is place', async () => {
    const [run, [own]] = await leasedRun(1, { maxConnections: 2, maxStreamsPerConnection: 1 });
    run.acquire();
    const waiting = run.acquire();
    run.holders[0]!.release();
    expect([waiting.connection, heldOf(run), run.pool.stats().connections.size]).toEqual([own, 0, 2]);
  });

  it('closes its connection when there is none, after its calls', async () => {
    const [run, [own]] = await leasedRun(1);
    const guest = run.holders[0]!.acquire();
    run.holders[0]!.release();
    expect([own!.open, own!.closed]).toEqual([false, false]);
    guest.ends();
    await settled();
    expect([own!.closed, run.pool.stats().closed.released]).toEqual([true, 1]);
  });

  it('does not give the next holder a connection on which calls go on', async () => {
    const [run, [own]] = await leasedRun(1, { maxLeases: 1 });
    run.holders[0]!.acquire();
    const next = run.lease();
    run.holders[0]!.release();
    expect([next.fate, own!.open, run.network.trying.length]).toEqual(['waiting', false, 1]);
  });

  it('nor one that is gone, though nobody has said so', async () => {
    const [run, [own]] = await leasedRun(1, { maxLeases: 1 });
    const next = run.lease();
    own!.die();
    run.holders[0]!.release();
    expect([next.fate, run.wrongs]).toEqual(['waiting', []]);
  });

  it('closes its connection when that has had its time', async () => {
    const [run, [own]] = await leasedRun(1, { maxConnections: 2, maxLifetimeMs: 10_000 });
    run.acquire();
    await run.clock.advanceAsync(9_500);
    expect(own!.open).toBe(true);
    run.holders[0]!.release();
    await settled();
    expect([own!.closed, run.pool.stats().closed.lifetime]).toEqual([true, 1]);
  });

  it('has its connection checked before others use it when it was idle for long', async () => {
    const [run, [own]] = await leasedRun(1, { maxConnections: 2, validateAfterIdleMs: 1_000 });
    run.acquire();
    await run.clock.advanceAsync(5_000);
    run.holders[0]!.release();
    own!.onCheck = 'waits';
    const guest = run.acquire();
    expect([own!.checked, guest.connection === own, run.wrongs]).toEqual([1, false, []]);
  });

  it('may be released again, and refuses every call', async () => {
    const [run] = await leasedRun(1, { maxStreamsPerConnection: 1 });
    const holder = run.holders[0]!;
    holder.acquire();
    const waiting = holder.acquire();
    holder.release();
    const before = run.pool.stats();
    holder.release();
    expect(run.pool.stats()).toEqual(before);
    expect([waiting.reason, holder.acquire().reason]).toEqual(['released', 'released']);
  });

  it('may be released after the pool was closed', async () => {
    const [run] = await leasedRun(1);
    const holder = run.holders[0]!;
    run.close();
    await settled();
    expect([run.closed, heldOf(run)]).toEqual([true, 1]);
    holder.release();
    expect([heldOf(run), run.clock.pending]).toEqual([0, 0]);
  });

  it('does not let a rest that is over give its connection away', async () => {
    // It rested while it was shared, was trusted again by an older call, and was leased.
    const [run, [good, bad]] = await runWith(2, {
      minConnections: 1,
      maxConnections: 2,
      maxStreamsPerConnection: 4,
    });
    const guests = run.acquireAll(8);
    const on = (each: FakeConnection) => guests.filter(({ connection }) => connection === each);
    const [a, b, c, d] = on(bad!);
    a!.ends('failed');
    run.clock.advance(1);
    for (const each of on(good!)) each.ends('answered');
    b!.ends('failed');
    c!.ends('failed');
    d!.ends('answered');
    const holder = run.lease();
    expect(holder.connection).toBe(bad);
    run.acquireAll(6);
    await run.clock.advanceAsync(1_000);
    expect([bad!.inFlight, run.wrongs]).toEqual([0, []]);
  });
});

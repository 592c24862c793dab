import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { connectedRun, PoolRun, runWith } from './pool-run.js';

describe('opening connections', () => {
  it('begins with start(), or with the first call', async () => {
    const run = new PoolRun();
    expect([run.pool.state, run.network.trying.length]).toEqual(['idle', 0]);
    const guest = run.acquire();
    expect([run.pool.state, run.network.trying.length]).toEqual(['connecting', 1]);
    await run.connected();
    expect([run.pool.state, guest.fate]).toEqual(['ready', 'served']);
  });

  it('opens minConnections, one after the other, and no more', async () => {
    const run = new PoolRun({ minConnections: 3 });
    run.pool.start();
    run.pool.start();
    for (let i = 0; i < 3; i += 1) {
      expect(run.network.trying.length).toBe(1);
      await run.connected();
    }
    expect([run.network.trying.length, run.network.maxTryingAtOnce]).toEqual([0, 1]);
    expect(run.clock.pending).toBe(0);
  });

  it('opens none with minConnections 0 until a call comes', async () => {
    const run = new PoolRun({ minConnections: 0 });
    run.pool.start();
    expect(run.network.trying.length).toBe(0);
    run.acquire();
    expect(run.network.trying.length).toBe(1);
    const connection = await run.connected();
    connection.endCall();
    connection.break();
    expect(run.network.trying.length).toBe(0);
  });

  it('opens another when each has more than 8 calls in flight, while there is room', async () => {
    const [run] = await connectedRun();
    for (let i = 0; i < 8; i += 1) run.acquire();
    expect(run.network.trying.length).toBe(0);
    run.acquire();
    expect(run.network.trying.length).toBe(1);
    const second = await run.connected();
    for (let i = 0; i < 8; i += 1) expect(run.acquire().connection).toBe(second);
    expect(run.network.trying.length).toBe(0);
  });

  it('replaces one that sends GOAWAY before its calls have ended', async () => {
    const [run, old] = await connectedRun();
    run.acquire();
    run.clock.advance(2_000);
    old.goaway();
    expect(run.network.trying.length).toBe(1);
    const next = await run.connected();
    expect(run.acquire().connection).toBe(next);
    expect(run.pool.stats()).toMatchObject({ connections: { size: 1, used: 1, leaving: 1 }, inFlight: 2 });
    old.endCall();
    await settled();
    expect(run.pool.stats()).toMatchObject({ connections: { size: 1, leaving: 0 }, inFlight: 1 });
  });

  it('replaces one that broke after a longer life at once, and only once', async () => {
    const [run, connection] = await connectedRun();
    run.clock.advance(1_000);
    connection.break();
    expect(run.network.trying.length).toBe(1);
    expect(run.network.triedAtMs.length).toBe(2);
  });
});

describe('while nobody can be reached', () => {
  it('tries on with growing pauses, more often when calls wait', async () => {
    const pauses = async (withCall: boolean) => {
      const run = new PoolRun({ acquireTimeoutMs: 60_000 });
      run.pool.start();
      if (withCall) run.acquire();
      const seen: number[] = [];
      for (let i = 0; i < 8; i += 1) {
        await run.refused();
        seen.push(Math.round(run.clock.nextInMs!));
        await run.clock.advanceAsync(run.clock.nextInMs!);
      }
      return seen;
    };
    expect(await pauses(true)).toEqual([50, 100, 200, 250, 250, 250, 250, 250]);
    expect(await pauses(false)).toEqual([50, 100, 200, 400, 800, 1600, 2500, 2500]);
  });

  it('shortens the pause for a call that comes in the middle of it', async () => {
    const run = new PoolRun();
    run.pool.start();
    for (let i = 0; i < 8; i += 1) {
      await run.refused();
      if (i < 7) await run.clock.advanceAsync(run.clock.nextInMs!);
    }
    expect(run.clock.nextInMs).toBe(2_500);
    await run.clock.advanceAsync(100);
    run.acquire();
    expect(run.clock.nextInMs).toBe(150);
    await run.clock.advanceAsync(150);
    expect(run.network.trying.length).toBe(1);
  });

  it('fails the call at its limit, with the latest reason and the numbers', async () => {
    const run = new PoolRun({ acquireTimeoutMs: 300 });
    const guest = run.acquire();
    await run.refused();
    await run.clock.advanceAsync(300);
    expect([guest.fate, guest.reason, guest.failure!.connectError?.failure]).toEqual([
      'failed',
      'unreachable',
      'unreachable',
    ]);
    expect(guest.failure!.snapshot).toEqual({
      size: 0,
      maxConnections: 4,
      inFlight: 0,
      pending: 0,
      leases: 0,
      maxLeases: 5,
    });
  });

  it.each(['tls', 'not-http2'] as const)(
    'does not let calls wait for what waiting does not mend: %s',
    async failure => {
      const run = new PoolRun();
      const guests = [run.acquire(), run.acquire()];
      await run.refused(failure);
      expect(guests.map(({ reason }) => reason)).toEqual(['unreachable', 'unreachable']);
      // It may be mended on the other side, so trying goes on.
      expect(run.clock.nextInMs).toBe(50);
    },
  );

  it('lets calls wait for room when a connection is there and only another one cannot be made', async () => {
    const [run, connection] = await connectedRun({ maxStreamsPerConnection: 1 });
    run.acquire();
    const guest = run.acquire();
    await run.refused('tls');
    expect([run.pool.state, guest.fate]).toEqual(['degraded', 'waiting']);
    connection.endCall();
    expect(guest.fate).toBe('served');
  });

  it('is ready again when what it failed to open is not needed any more', async () => {
    const [run, connection] = await connectedRun({ maxStreamsPerConnection: 1 });
    run.acquire();
    run.acquire();
    await run.refused();
    expect(run.pool.state).toBe('degraded');
    connection.endCall();
    await run.clock.advanceAsync(run.clock.nextInMs!);
    expect([run.pool.state, run.network.trying.length, run.clock.pending]).toEqual(['ready', 0, 0]);
  });

  it('does not storm a server that takes connections and drops them at once', async () => {
    const tries = async (withCalls: boolean, life: (connection: FakeConnection) => void) => {
      const run = new PoolRun({ maxStreamsPerConnection: 1, acquireTimeoutMs: 100_000, maxConnections: 1 });
      run.pool.start();
      if (withCalls) for (let i = 0; i < 500; i += 1) run.acquire();
      const endMs = run.clock.now() + 60_000;
      while (run.clock.now() < endMs) {
        while (run.network.trying.length > 0) life(await run.connected());
        await settled();
        await run.clock.advanceAsync(run.clock.nextInMs!);
      }
      return run.network.triedAtMs.length;
    };
    const breaks = (connection: FakeConnection) => connection.break();
    const says = (connection: FakeConnection) => {
      connection.goaway();
      if (connection.inFlight > 0) connection.endCall();
    };
    for (const life of [breaks, says]) {
      expect(await tries(true, life)).toBeLessThan(60_000 / 250 + 5);
      expect(await tries(false, life)).toBeLessThan(60_000 / 2_500 + 10);
    }
  });

  it('does not storm a server whose connections are gone before the pool hears of them', async () => {
    const run = new PoolRun();
    run.pool.start();
    const endMs = run.clock.now() + 10_000;
    while (run.clock.now() < endMs && run.network.triedAtMs.length < 1_000) {
      while (run.network.trying.length > 0 && run.network.triedAtMs.length < 1_000) {
        const dead = new FakeConnection();
        dead.break();
        await run.connected(dead);
      }
      await run.clock.advanceAsync(run.clock.nextInMs ?? 1);
    }
    expect(run.network.triedAtMs.length).toBeLessThan(20);
  });

  it('heals: calls that wait are served when the server is back, and the state is ready', async () => {
    const [run, connection] = await connectedRun();
    connection.break();
    await run.clock.advanceAsync(100);
    await run.refused();
    const guest = run.acquire();
    expect(run.pool.state).toBe('unavailable');
    await run.clock.advanceAsync(1_000);
    await run.connected();
    expect([guest.fate, run.pool.state]).toEqual(['served', 'ready']);
  });
});

describe('sharing connections', () => {
  it('gives each call the least busy one', async () => {
    const [run, [first, second]] = await runWith(2);
    run.acquireAll(6);
    expect([first!.inFlight, second!.inFlight]).toEqual([3, 3]);
  });

  it('respects the smaller of its own limit and the server’s', async () => {
    const [run] = await connectedRun({ maxStreamsPerConnection: 3, maxConnections: 2 });
    const small = new FakeConnection(2);
    for (let i = 0; i < 8; i += 1) run.acquire();
    await run.connected(small);
    expect(run.network.connections.map(({ inFlight }) => inFlight)).toEqual([3, 2]);
    expect(run.waiting.length).toBe(3);
  });

  it('gives the first of equally busy ones, so that the last go idle', async () => {
    const [run, [first]] = await runWith(3);
    for (let i = 0; i < 5; i += 1) {
      const guest = run.acquire();
      expect(guest.connection).toBe(first);
      guest.ends();
    }
  });

  it('finds room on a busier connection when the least busy one takes no more', async () => {
    const run = new PoolRun({ minConnections: 2 });
    run.pool.start();
    const small = await run.connected(new FakeConnection(1));
    const large = await run.connected();
    for (let i = 0; i < 5; i += 1) run.acquire();
    expect(run.waiting).toEqual([]);
    expect([small.inFlight, large.inFlight]).toEqual([1, 4]);
  });

  it('lets no call overtake those that wait', async () => {
    const [run, connection] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1 });
    run.acquire();
    const guests = [run.acquire(), run.acquire(), run.acquire()];
    guests[1]!.leave();
    connection.endCall();
    connection.endCall();
    expect(guests.map(({ fate }) => fate)).toEqual(['served', 'left', 'served']);
    expect(run.events.filter(event => event.includes('overtook'))).toEqual([]);
  });

  it('says "no room" at the limit when connections are there but full', async () => {
    const [run] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1 });
    run.acquire();
    const guest = run.acquire(70);
    run.clock.advance(70);
    expect(guest.reason).toBe('no-room');
    expect(guest.failure).toMatchObject({
      waited: 'own',
      snapshot: { size: 1, maxConnections: 1, inFlight: 1, pending: 0 },
    });
    expect(run.pool.stats().acquireTimeouts).toBe(1);
  });

  it('takes no more than maxPending into the line', async () => {
    const run = new PoolRun({ maxPending: 2 });
    const guests = [run.acquire(), run.acquire(), run.acquire()];
    expect(guests.map(({ reason }) => reason)).toEqual([undefined, undefined, 'line-full']);
    await run.connected();
    expect(guests.map(({ fate }) => fate)).toEqual(['served', 'served', 'failed']);
  });

  it('serves those who wait when the server takes more calls at once', async () => {
    const run = new PoolRun({ maxConnections: 1 });
    const guest = run.acquire();
    const connection = await run.connected(new FakeConnection(0));
    expect(guest.fate).toBe('waiting');
    connection.changeMaxStreams(1);
    expect(guest.fate).toBe('served');
  });
});

describe('who comes again', () => {
  it('stands before all who came later, and among its like in the order of arrival', async () => {
    const [run, old] = await connectedRun({ maxStreamsPerConnection: 3, maxConnections: 1 });
    run.clock.advance(1_000);
    const first = run.acquireAll(3);
    const later = run.acquireAll(2);
    old.goaway();
    for (const each of [first[2]!, first[0]!, first[1]!]) each.comesAgain();
    await run.connected();
    expect(first.map(({ fate }) => fate)).toEqual(['served', 'served', 'served']);
    expect(later.map(({ fate }) => fate)).toEqual(['waiting', 'waiting']);
    expect(run.wrongs).toEqual([]);
  });

  it('is not turned away by a full line', async () => {
    const [run, old] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1, maxPending: 1 });
    run.clock.advance(1_000);
    const guest = run.acquire();
    run.acquire();
    expect(run.acquire().reason).toBe('line-full');
    old.goaway();
    guest.comesAgain();
    expect(guest.fate).toBe('waiting');
    await run.connected();
    expect([guest.fate, run.wrongs]).toEqual(['served', []]);
  });

  it('waits for its own limit, and is counted where it waits', async () => {
    const [run, old] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1 });
    const guest = run.acquire();
    old.goaway();
    guest.comesAgain(200);
    expect(run.pool.stats().pending).toBe(1);
    run.clock.advance(200);
    expect([guest.reason, run.pool.stats().pending]).toEqual(['unreachable', 0]);
  });
});

describe('closing', () => {
  it('refuses new calls and those that wait, lets calls in flight end, and resolves then', async () => {
    const [run, connection] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1 });
    run.acquire();
    const waiting = run.acquire();
    run.close();
    expect([waiting.reason, run.acquire().reason]).toEqual(['closed', 'closed']);
    expect([run.pool.state, run.clock.pending]).toEqual(['draining', 0]);
    await settled();
    expect(run.closed).toBe(false);
    connection.endCall();
    await settled();
    expect([run.closed, run.pool.state]).toEqual([true, 'closed']);
  });

  it('stops the try to connect, and the pause before one', async () => {
    const trying = new PoolRun();
    trying.pool.start();
    trying.close();
    const pausing = new PoolRun();
    pausing.pool.start();
    await pausing.refused();
    pausing.close();
    await settled();
    expect([trying.closed, trying.network.trying.length]).toEqual([true, 0]);
    expect([pausing.closed, pausing.clock.pending]).toEqual([true, 0]);
    // It was not a failure of the server.
    expect(trying.events).toEqual(['idle → connecting', 'connecting → draining', 'draining → closed']);
  });

  it('drops a connection that was made in the very moment of closing', async () => {
    const run = new PoolRun();
    const guest = run.acquire();
    const connection = new FakeConnection();
    run.network.succeed(connection);
    run.close();
    await settled();
    expect([guest.reason, connection.closed, run.closed]).toEqual(['closed', true, true]);
    expect(run.pool.stats().connections.size).toBe(0);
  });

  it('ends every wait and every limit', async () => {
    const [run] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1, maxLeases: 1 });
    run.acquireAll(3);
    const leases = [run.lease(), run.lease()];
    const renewed = run.pool.reconnect();
    run.close();
    await expect(renewed).rejects.toMatchObject({ reason: 'closed' });
    expect(run.guests.map(({ reason }) => reason)).toEqual([undefined, 'closed', 'closed']);
    expect(leases.map(({ reason }) => reason)).toEqual(['closed', 'closed']);
    expect(run.lease().reason).toBe('closed');
    expect([run.clock.pending, run.timeouts, run.pool.stats().acquireTimeouts]).toEqual([0, 0, 0]);
  });

  it('closes leased connections too, and does not wait for their release', async () => {
    const [run] = await connectedRun();
    const holder = run.lease();
    const leased = await run.connected();
    run.close();
    await settled();
    expect([leased.closed, run.closed]).toEqual([true, true]);
    holder.release();
    expect(run.pool.stats()).toMatchObject({ leases: { held: 0 }, closed: { drain: 2 } });
  });

  it('may be asked for twice, and destroy() may follow to end the calls', async () => {
    const [run, connection] = await connectedRun();
    run.acquire();
    const closed = [run.pool.close(), run.pool.close()];
    run.close('destroy');
    await Promise.all(closed);
    expect([connection.closed, run.closed, connection.inFlight]).toEqual([true, true, 0]);
    await run.pool.close();
    expect(run.events.filter(event => event.endsWith('→ closed'))).toEqual(['draining → closed']);
  });

  it('resolves for a pool that was never used', async () => {
    const run = new PoolRun();
    await run.pool.close();
    expect(run.pool.state).toBe('closed');
    run.pool.start();
    expect(run.network.triedAtMs).toEqual([]);
  });
});

describe('what is told', () => {
  it('tells each change of state once, and each connection', async () => {
    const run = new PoolRun();
    run.pool.start();
    await run.clock.advanceAsync(7);
    const connection = await run.connected();
    run.clock.advance(2_000);
    connection.break();
    await run.refused();
    await run.clock.advanceAsync(50);
    await run.connected();
    await run.pool.close();
    expect(run.events).toEqual([
      'idle → connecting',
      'opened milvus:19530 in 7',
      'connecting → ready',
      'ready → connecting',
      'closed: failed',
      'failed: unreachable',
      'connecting → unavailable',
      'opened milvus:19530 in 0',
      'unavailable → ready',
      'ready → draining',
      'closed: drain',
      'draining → closed',
    ]);
  });
});

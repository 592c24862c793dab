import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { connectedRun, PoolRun, runWith } from './pool-run.js';

/** Which of them take calls. */
const open = (connections: FakeConnection[]) => connections.map(each => each.open);

describe('what windDown() closes', () => {
  it('is each connection without calls but one, at once', async () => {
    const [run, connections] = await runWith(3, { maxConnections: 3 });
    // The server is told.
    for (const each of connections) each.destroy = () => run.wrongs.push('cut off');
    run.pool.windDown();
    await settled();
    expect(run.wrongs).toEqual([]);
    expect(open(connections)).toEqual([true, false, false]);
    expect(run.pool.stats()).toMatchObject({ connections: { size: 1, leaving: 0 }, closed: { drain: 2 } });
    expect(run.events.slice(-2)).toEqual(['closed: drain', 'closed: drain']);
  });

  it('is the last one without calls too when another one has calls', async () => {
    const [run, connections] = await runWith(3, { maxConnections: 3 });
    const [guest] = run.acquireAll(1);
    expect(guest!.connection).toBe(connections[0]);
    run.pool.windDown();
    expect(open(connections)).toEqual([true, false, false]);
    expect(guest!.inFlight).toBe(true);
  });

  it('is each other one when its calls have ended, and never the last', async () => {
    const [run, connections] = await runWith(3, { maxConnections: 3 });
    const guests = run.acquireAll(6);
    run.pool.windDown();
    expect(open(connections)).toEqual([true, true, true]);
    const endsOn = (connection: FakeConnection) => {
      for (const guest of guests) if (guest.connection === connection) guest.ends();
    };
    endsOn(connections[0]!);
    expect(open(connections)).toEqual([false, true, true]);
    endsOn(connections[2]!);
    expect(open(connections)).toEqual([false, true, false]);
    endsOn(connections[1]!);
    expect(open(connections)).toEqual([false, true, false]);
    // A call of several RPCs goes on there.
    expect(run.acquire().connection).toBe(connections[1]);
    expect(run.network.triedAtMs.length).toBe(3);
  });

  it('is not the only one with room', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2 });
    const guests = run.acquireAll(2);
    first!.changeMaxStreams(1);
    guests[1]!.ends();
    run.pool.windDown();
    expect(open([first!, second!])).toEqual([true, true]);
    first!.changeMaxStreams(2);
    expect(open([first!, second!])).toEqual([true, false]);
  });

  it('is not the one that works, when the other fails', async () => {
    const [run, [bad, good]] = await runWith(2, { maxConnections: 2 });
    const guests = run.acquireAll(8);
    const on = (connection: FakeConnection) => guests.filter(each => each.connection === connection);
    const [first, last, ...others] = on(bad!);
    first!.ends('failed');
    run.clock.advance(1);
    for (const guest of on(good!)) guest.ends('answered');
    for (const guest of others) guest.ends('failed');
    last!.connection!.send();
    last!.ends('failed');
    run.pool.windDown();
    // One that fails has a call in flight yet, the other none.
    expect(open([bad!, good!])).toEqual([true, true]);
    bad!.endCall();
    expect(open([bad!, good!])).toEqual([false, true]);
  });

  it('is the one on trial, and not the one that works', async () => {
    const [run, connections] = await runWith(2, { maxConnections: 2 });
    run.acquireAll(2);
    run.members.get(connections[0]!)!.trust.calls = 1;
    for (const guest of run.guests) guest.ends('nothing');
    run.pool.windDown();
    expect(open(connections)).toEqual([false, true]);
  });

  it('is none that broke: that one failed', async () => {
    const [run, [, second]] = await runWith(2, { maxConnections: 2 });
    run.acquireAll(2);
    run.pool.windDown();
    second!.break();
    await settled();
    expect(run.pool.stats().closed).toMatchObject({ drain: 0, failed: 1 });
  });

  it('is one of two on trial', async () => {
    const [run, connections] = await runWith(2, { maxConnections: 2 });
    run.acquireAll(2);
    for (const connection of connections) run.members.get(connection)!.trust.calls = 1;
    for (const guest of run.guests) guest.ends('nothing');
    run.pool.windDown();
    expect(open(connections)).toEqual([true, false]);
  });

  it('is no connection in doubt, until it is known whether it lives', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2, validateAfterIdleMs: 1_000 });
    first!.onCheck = 'waits';
    run.clock.advance(1_000);
    second!.onCheck = 'waits';
    const guest = run.acquire();
    expect([first!.beingChecked, guest.fate]).toEqual([true, 'waiting']);
    run.pool.windDown();
    expect(open([first!, second!])).toEqual([true, true]);
    first!.answerChecks(true);
    await settled();
    expect([guest.connection, ...open([first!, second!])]).toEqual([first, true, false]);
  });
});

describe('what is opened after windDown()', () => {
  it('is nothing for a minimum, also if it was asked for again', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2 });
    run.pool.windDown();
    run.pool.start();
    for (const connection of [second!, first!]) connection.break();
    await run.clock.advanceAsync(60_000);
    expect([run.network.triedAtMs.length, run.pool.state, run.clock.pending]).toEqual([2, 'idle', 0]);
  });

  it('is nothing in place of one that has had its time', async () => {
    const [run, connection] = await connectedRun({ maxLifetimeMs: 10_000, idleTimeoutMs: 5_000 });
    run.pool.windDown();
    expect(run.clock.pending).toBe(0);
    await run.clock.advanceAsync(60_000);
    expect([connection.open, run.network.triedAtMs.length]).toEqual([true, 1]);
  });

  it('is nothing because there are many calls', async () => {
    const [run, connection] = await connectedRun();
    run.pool.windDown();
    for (const guest of run.acquireAll(50)) expect(guest.connection).toBe(connection);
    run.pool.start();
    expect([run.network.trying.length, run.wrongs]).toEqual([0, []]);
  });

  it('is nothing for calls that will get room when others end', async () => {
    const [run, connection] = await connectedRun({ maxStreamsPerConnection: 2 });
    run.pool.windDown();
    const guests = run.acquireAll(3);
    expect([guests[2]!.fate, run.network.trying.length]).toEqual(['waiting', 0]);
    guests[0]!.ends();
    expect(guests[2]!.connection).toBe(connection);
  });

  it('is one when the server takes no calls on what is there', async () => {
    const [run, connection] = await connectedRun();
    connection.changeMaxStreams(0);
    run.pool.windDown();
    const guest = run.acquire();
    expect(run.network.trying.length).toBe(1);
    const next = await run.connected();
    expect(guest.connection).toBe(next);
    expect(connection.open).toBe(false);
  });

  it('is one when the last one breaks and a call wants to go on', async () => {
    const [run, connection] = await connectedRun();
    const guest = run.acquire();
    run.pool.windDown();
    run.clock.advance(2_000);
    connection.goaway();
    expect(run.network.trying.length).toBe(0);
    guest.comesAgain();
    expect([guest.fate, run.network.trying.length, run.pool.state]).toEqual(['waiting', 1, 'connecting']);
    const next = await run.connected();
    expect([guest.connection, run.pool.state, run.wrongs]).toEqual([next, 'ready', []]);
  });

  it('is nothing before the pause is over, when one broke that was open for a moment only', async () => {
    const [run, connection] = await connectedRun({ maxStreamsPerConnection: 1 });
    run.pool.windDown();
    run.acquireAll(2);
    connection.break();
    expect([run.network.trying.length, run.clock.nextInMs]).toEqual([0, 50]);
    await run.clock.advanceAsync(50);
    expect(run.network.trying.length).toBe(1);
  });

  it('is tried again while a call waits, and no longer', async () => {
    const [run, connection] = await connectedRun();
    run.pool.windDown();
    run.clock.advance(2_000);
    connection.break();
    const guest = run.acquire();
    await run.refused();
    await run.clock.advanceAsync(run.clock.nextInMs!);
    expect(run.network.trying.length).toBe(1);
    guest.leave();
    await run.refused();
    await run.clock.advanceAsync(60_000);
    expect([run.network.trying.length, run.clock.pending]).toEqual([0, 0]);
  });
});

describe('a connection that was being opened at windDown()', () => {
  it('serves those who wait for it', async () => {
    const run = new PoolRun();
    const guest = run.acquire();
    run.pool.windDown();
    const connection = await run.connected();
    expect([guest.connection, connection.open]).toEqual([connection, true]);
  });

  it('is closed if there is another, and stays if there is none', async () => {
    const [grown, [first]] = await runWith(1);
    grown.acquireAll(9);
    expect(grown.network.trying.length).toBe(1);
    grown.pool.windDown();
    const second = await grown.connected();
    expect(open([first!, second])).toEqual([true, false]);
    expect(grown.events.at(-1)).toBe('closed: drain');

    const started = new PoolRun({ minConnections: 2 });
    started.pool.start();
    started.pool.windDown();
    const only = await started.connected();
    expect([only.open, started.network.trying.length, started.pool.state]).toEqual([true, 0, 'ready']);
  });
});

describe('leases after windDown()', () => {
  it('are held as before, and their connections close when they are released', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2, minConnections: 1 });
    const holder = run.lease();
    expect(holder.connection).toBe(second);
    run.pool.windDown();
    const [call] = [holder.acquire(), run.acquire()];
    holder.release();
    expect(open([first!, second!])).toEqual([true, true]);
    call.ends();
    await settled();
    expect(open([first!, second!])).toEqual([true, false]);
    expect(run.events.at(-1)).toBe('closed: drain');
  });

  it('close at once if they have no calls, but not the last one', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2, minConnections: 0 });
    const holders = [run.lease(), run.lease()];
    expect(holders.map(({ connection }) => connection)).toEqual([second, first]);
    run.pool.windDown();
    expect(open([first!, second!])).toEqual([true, true]);
    holders[0]!.release();
    expect(open([first!, second!])).toEqual([true, true]);
    holders[1]!.release();
    expect(open([first!, second!]).filter(Boolean).length).toBe(1);
    expect(run.pool.stats().connections.size).toBe(1);
  });

  it('go to the next who waits for one', async () => {
    const [run, connection] = await connectedRun({ minConnections: 0, maxLeases: 1 });
    const holder = run.lease();
    run.pool.windDown();
    const next = run.lease();
    holder.release();
    expect([next.connection, run.network.triedAtMs.length]).toEqual([connection, 1]);
  });

  it('are given still: a connection without calls, or a new one', async () => {
    const [run, connection] = await connectedRun({ minConnections: 1 });
    run.pool.windDown();
    expect(run.lease().connection).toBe(connection);
    const second = run.lease();
    expect(run.network.trying.length).toBe(1);
    const next = await run.connected();
    expect(second.connection).toBe(next);
  });

  it('end no other way because their connection has had its time', async () => {
    const [run] = await connectedRun({ minConnections: 0, maxLifetimeMs: 10_000 });
    const holder = run.lease();
    run.pool.windDown();
    run.clock.advance(20_000);
    const { connection } = holder;
    holder.release();
    expect([connection!.open, run.pool.stats().connections.size, run.clock.pending]).toEqual([true, 1, 0]);
  });
});

describe('a reconnect() and windDown()', () => {
  it('fails when it is under way, and nothing more is replaced', async () => {
    const [run, old] = await runWith(2, { maxConnections: 2 });
    run.acquireAll(2);
    const renewed = run.pool.reconnect();
    run.pool.windDown();
    await expect(renewed).rejects.toMatchObject({ reason: 'closed' });
    const next = await run.connected();
    expect(open([...old, next])).toEqual([true, true, false]);
    expect(run.network.trying.length).toBe(0);
  });

  it('leaves nothing to be replaced when a lease is released', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2, minConnections: 1 });
    const holder = run.lease();
    const renewed = run.pool.reconnect();
    run.pool.windDown();
    await expect(renewed).rejects.toMatchObject({ reason: 'closed' });
    first!.goaway();
    holder.release();
    expect([holder.connection, second!.open]).toEqual([second, true]);
  });

  it('fails also while the new connection is being looked at, which goes again', async () => {
    const [run, old] = await connectedRun();
    run.acquire();
    const renewed = run.pool.reconnect();
    const next = new FakeConnection(Number.POSITIVE_INFINITY, run.clock);
    next.onCheck = 'waits';
    await run.connected(next);
    run.pool.windDown();
    await expect(renewed).rejects.toMatchObject({ reason: 'closed' });
    next.answerChecks(true);
    await settled();
    expect(open([old, next])).toEqual([true, false]);
    expect(run.events.at(-1)).toBe('closed: drain');
  });

  it('is refused afterwards', async () => {
    const [run, connection] = await connectedRun();
    run.pool.windDown();
    await expect(run.pool.reconnect()).rejects.toMatchObject({ reason: 'closed' });
    expect([connection.open, run.network.trying.length]).toEqual([true, 0]);
  });
});

describe('windDown()', () => {
  it('leaves the state as it is, and close() as it was', async () => {
    const [run] = await runWith(3, { maxConnections: 3 });
    const events = run.events.length;
    run.pool.windDown();
    run.pool.windDown();
    await settled();
    expect([run.pool.state, run.events.slice(events)]).toEqual(['ready', ['closed: drain', 'closed: drain']]);
    const guest = run.acquire();
    run.close();
    await settled();
    expect([run.pool.state, run.closed, run.acquire().reason]).toEqual(['draining', false, 'closed']);
    guest.ends();
    await settled();
    expect([run.pool.state, run.closed]).toEqual(['closed', true]);
    expect(run.pool.stats().closed.drain).toBe(3);
  });

  it('is harmless after close(), and before the first connection', async () => {
    const [run] = await connectedRun();
    const guest = run.acquire();
    run.close();
    run.pool.windDown();
    expect(run.pool.state).toBe('draining');
    guest.ends();
    await settled();
    run.pool.windDown();
    expect([run.pool.state, run.closed, run.wrongs]).toEqual(['closed', true, []]);

    const empty = new PoolRun();
    empty.pool.windDown();
    expect([empty.pool.state, empty.network.trying.length]).toEqual(['idle', 0]);
    const late = empty.acquire();
    const connection = await empty.connected();
    expect(late.connection).toBe(connection);
  });
});

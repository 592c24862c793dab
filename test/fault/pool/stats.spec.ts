import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../../../lib/testing/free-port.js';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  gate,
  pooledClient,
  times,
} from '../../support/pooled-client.js';
import { StubServer, until } from '../../support/stub-server.js';

const PATIENT = { timeoutMs: 60_000 };
const NONE = { idle: 0, lifetime: 0, reconnect: 0, released: 0, failed: 0, goaway: 0, drain: 0 };

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

function expectFrozen(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  expect(Object.isFrozen(value)).toBe(true);
  for (const each of Object.values(value)) expectFrozen(each);
}

describe('stats', () => {
  it('are there before the first connection, and frozen', () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 2 } });
    const stats = client.pool.stats();
    const nothing = { count: 0, p50: Number.NaN, p95: Number.NaN, p99: Number.NaN, max: Number.NaN };

    expect(stats).toEqual({
      calls: 0,
      endpoint: { address: stub.address, clients: ['default'] },
      sends: { rpcs: 0, attempts: 0, retries: 0, reruns: 0, budgetRefusals: 0, unknownOutcomes: 0 },
      connections: { size: 0, idle: 0, used: 0, creating: 0, leaving: 0, min: 2, max: 4, overflow: -2 },
      inFlight: 0,
      pending: 0,
      leases: { held: 0, pending: 0, max: 5 },
      created: 0,
      closed: NONE,
      acquireTimeouts: 0,
      waitMs: nothing,
      createMs: nothing,
      useMs: nothing,
    });
    expectFrozen(stats);
  });

  it('tell what is so now', async () => {
    const client = pooledClient(stub.address, {
      pool: { minConnections: 2, maxConnections: 2, maxStreamsPerConnection: 3 },
    });
    await connected(client);
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const calls = times(8, () => client.getVersion());
    const lease = await client.pool.acquire(PATIENT);
    const leased = lease.client.getVersion();
    await stub.waitFor(s => s.inFlight === 7);
    const stats = client.pool.stats();

    expect(stats).toMatchObject({
      connections: { size: 2, idle: 0, used: 2, creating: 0, leaving: 0, overflow: 0 },
      inFlight: 7,
      pending: 2,
      leases: { held: 1, pending: 0 },
      created: 3,
    });
    expectFrozen(stats);
    open();
    await Promise.all([...calls, leased]);
    expect(client.pool.stats()).toMatchObject({ connections: { idle: 2, used: 0 }, inFlight: 0, pending: 0 });
  });

  it('count connections as the server did, each by the reason of its end', async () => {
    const client = pooledClient(stub.address, {
      pool: { minConnections: 2, maxConnections: 3, idleTimeoutMs: 800, acquireTimeoutMs: 60_000 },
    });
    await connected(client);
    const expected = { ...NONE };
    /** Two connections are left, and this is how others ended. */
    const reached = async () => {
      await eventually(() => client.pool.stats().connections.size === 2 && stub.connectionsOpen === 2);
      await eventually(() => JSON.stringify(client.pool.stats().closed) === JSON.stringify(expected));
      expect(client.pool.stats().created).toBe(stub.connectionsEver);
    };

    await client.pool.reconnect();
    expected.reconnect += 2;
    await reached();

    stub.goaway(0, 'max', stub.connections.find(({ open }) => open)!.id);
    expected.goaway += 1;
    await reached();

    stub.connections.find(({ open }) => open)!.socket.resetAndDestroy();
    expected.failed += 1;
    await reached();

    // The third place is free: the lease's connection is for all again, until it has been idle for long.
    (await client.pool.acquire(PATIENT)).release();
    expected.idle += 1;
    await reached();

    await client.drain();
    expected.drain += 2;
    const { created, closed, connections } = client.pool.stats();
    expect(closed).toEqual(expected);
    expect(created).toBe(stub.connectionsEver);
    expect(Object.values(closed).reduce((sum, count) => sum + count, 0)).toBe(created);
    expect(connections).toMatchObject({ size: 0, leaving: 0 });
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('measure waiting, opening and use', async () => {
    stub.delayMs = 40;
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 1, maxStreamsPerConnection: 10, acquireTimeoutMs: 60_000 },
      timeouts: { readMs: 60_000 },
    });
    await connected(client);
    await Promise.all(times(40, () => client.getVersion()));

    const { useMs, waitMs, createMs, acquireTimeouts } = client.pool.stats();
    expect(useMs).toMatchObject({ count: 40 });
    // Timers are as exact as a millisecond.
    expect(useMs.p50).toBeGreaterThan(38);
    for (const { p50, p95, p99, max } of [useMs, waitMs, createMs]) {
      expect([p50, p95, p99, max]).toEqual([p50, p95, p99, max].sort((a, b) => a - b));
      expect(max).toBeLessThan(20_000);
    }
    // Four rounds of ten: the last ten waited for three of them.
    expect(waitMs.count).toBe(40);
    expect(waitMs.max).toBeGreaterThan(3 * 38);
    expect(waitMs.p50).toBeLessThan(waitMs.max);
    expect(createMs).toMatchObject({ count: 1, max: expect.any(Number) });
    expect(acquireTimeouts).toBe(0);
  });

  it('count waits that ended at their limit, the pool’s or the call’s own', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 1, maxStreamsPerConnection: 1, maxLeases: 1, acquireTimeoutMs: 300 },
    });
    await connected(client);
    const first = client.getVersion();
    await failureOf(client.getVersion());
    expect(client.pool.stats().acquireTimeouts).toBe(1);
    await failureOf(client.with({ timeoutMs: 100 }).getVersion());
    expect(client.pool.stats().acquireTimeouts).toBe(2);
    await client.pool.acquire(PATIENT);
    await failureOf(client.pool.acquire({ timeoutMs: 100 }));
    expect(client.pool.stats().acquireTimeouts).toBe(3);
    open();
    await first;
  });
});

describe('events$', () => {
  it('tells of states and connections in their order, frozen, and completes when the client has drained', async () => {
    const client = pooledClient(stub.address, { name: 'search', pool: { maxConnections: 1 } });
    const told: string[] = [];
    let completed = false;
    client.pool.events$.subscribe({
      next: event => {
        expect(Object.isFrozen(event)).toBe(true);
        expect(event.client).toBe('search');
        if (event.type === 'state-changed') told.push(`${event.from} → ${event.to}`);
        else if (event.type === 'connection-closed') told.push(`closed: ${event.reason}`);
        else if (event.type === 'connection-opened') told.push(`opened ${event.address}`);
        else told.push(event.type);
        if (event.type === 'connection-opened') expect(event.tookMs).toBeGreaterThan(0);
        if (event.type === 'connection-closed') {
          expect(event).toMatchObject({ address: stub.address, detail: expect.stringMatching(/\w/) });
        }
      },
      complete: () => {
        completed = true;
      },
    });
    const closings = () => told.filter(each => each.startsWith('closed'));
    const { address } = stub;

    await client.getVersion();
    expect(told.splice(0)).toEqual(['idle → connecting', `opened ${address}`, 'connecting → ready']);

    await client.pool.reconnect();
    await eventually(() => closings().length === 1);
    expect(told.splice(0)).toEqual([`opened ${address}`, 'closed: reconnect']);

    stub.goaway();
    await eventually(() => closings().length === 1 && client.pool.state === 'ready');
    const afterGoaway = told.splice(0);
    expect(afterGoaway).toEqual(expect.arrayContaining(['closed: goaway', `opened ${address}`]));

    stub.dropConnections('rst');
    await eventually(() => closings().length === 1 && client.pool.state === 'ready');
    const afterReset = told.splice(0);
    expect(afterReset).toEqual(
      expect.arrayContaining(['closed: failed', 'ready → connecting', 'connecting → ready']),
    );

    expect(completed).toBe(false);
    await client.drain();
    expect(told).toEqual(['ready → draining', 'closed: drain', 'draining → closed']);
    expect(completed).toBe(true);
  });

  it('tells of tries to connect that failed', async () => {
    const port = await freePort();
    const client = pooledClient(`127.0.0.1:${port}`);
    const failures: Error[] = [];
    const states: string[] = [];
    client.pool.events$.subscribe(event => {
      if (event.type === 'connect-failed') failures.push(event.error);
      if (event.type === 'state-changed') states.push(event.to);
    });
    client.connect();
    await eventually(() => failures.length >= 2);

    for (const error of failures) expect(error.message).toContain(`127.0.0.1:${port}: nothing accepts`);
    expect(states).toEqual(['connecting', 'unavailable']);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusDeadlineExceededError } from '../../../lib/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  gate,
  pause,
  pooledClient,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { answer, hang, StubServer, until } from '../../support/stub-server.js';
import { Load } from './load.js';

/** Too long for keepalive to find anything within a test. */
const NO_KEEPALIVE = { intervalMs: 600_000, timeoutMs: 5_000 };

let stub: StubServer;
let proxy: FaultProxy;

beforeEach(async () => {
  stub = await StubServer.start();
  proxy = await FaultProxy.start({ target: stub.address });
});

afterEach(async () => {
  await closeClients();
  await proxy.stop();
  await stub.stop();
});

const query = { collection_name: 'c', filter: 'id > 0' };

describe('one connection of several that becomes a black hole', () => {
  it('is replaced within the keepalive limits, while the others serve', async () => {
    const keepalive = { intervalMs: 400, timeoutMs: 400 };
    const client = pooledClient(proxy.address, {
      pool: { minConnections: 3, maxConnections: 3, keepalive, acquireTimeoutMs: 60_000 },
      timeouts: { readMs: 60_000 },
    });
    await connected(client);
    const load = new Load(client, 30);
    await eventually(() => load.succeeded > 100);

    const frozenAt = performance.now();
    proxy.freeze(2);
    stub.resetCounts();
    await eventually(() => client.pool.stats().closed.failed === 1);
    const tookMs = performance.now() - frozenAt;
    const served = stub.count();
    await eventually(() => client.pool.stats().connections.size === 3);
    const before = load.succeeded;
    await eventually(() => load.succeeded > before + 200);
    await load.stop();

    expect(tookMs).toBeLessThan(800 + SOON_MS);
    expect(served).toBeGreaterThan(50);
    // Only what was on it is sent again, and no caller notices.
    expect(load.failures).toEqual([]);
    const { retries } = client.pool.stats().sends;
    expect(retries).toBeGreaterThan(0);
    expect(retries).toBeLessThan(30);
    expect(proxy.connectionsEver).toBe(4);
    expect(client.pool.stats().closed).toMatchObject({ failed: 1, goaway: 0 });
  });

  it('costs a call that comes meanwhile nothing', async () => {
    const client = pooledClient(proxy.address, {
      pool: { minConnections: 2, maxConnections: 2, keepalive: NO_KEEPALIVE },
    });
    await connected(client);
    await Promise.all(times(2, () => client.getVersion()));
    proxy.freeze(1);
    const stuck = quietly(client.with({ timeoutMs: 60_000 }).getVersion());

    for (let calls = 0; calls < 50; calls++) {
      await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    }
    await client.drain({ timeoutMs: 0 });
    await failureOf(stuck);
  });
});

describe('a call that times out without a byte', () => {
  it('has its connection asked at once, and a dead one replaced, however long keepalive would wait', async () => {
    const client = pooledClient(proxy.address, { pool: { maxConnections: 1, keepalive: NO_KEEPALIVE } });
    await client.getVersion();
    proxy.freeze(1);
    await failureOf(client.with({ timeoutMs: 200 }).getVersion());
    const timedOutAt = performance.now();

    // Waits for the new one.
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(performance.now() - timedOutAt).toBeLessThan(1_000 + SOON_MS);
    expect(proxy.connectionsEver).toBe(2);
    await eventually(() => client.pool.stats().closed.failed === 1);
  });

  it('does not cost a slow server its connection, nor more than one PING in 5 s', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, keepalive: NO_KEEPALIVE } });
    await client.getVersion();
    stub.always('Query', hang());
    const hurried = client.with({ timeoutMs: 100 });

    const startedAt = performance.now();
    for (let round = 1; round <= 8; round++) {
      for (const error of await Promise.all(times(10, () => failureOf(hurried.query(query))))) {
        expect(error).toBeInstanceOf(MilvusDeadlineExceededError);
      }
    }
    const pings = 1 + Math.floor((performance.now() - startedAt) / 5_000);

    await stub.waitFor(s => s.pings > 0);
    expect(stub.pings).toBeLessThanOrEqual(pings);
    expect(stub.connectionsEver).toBe(1);
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('asks nothing when the connection carried something else meanwhile', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, keepalive: NO_KEEPALIVE } });
    await client.getVersion();
    stub.always('Query', hang());

    const late = quietly(client.with({ timeoutMs: 300 }).query(query));
    await stub.waitFor(s => s.count('Query') === 1);
    await client.getVersion();
    await failureOf(late);
    await client.getVersion();

    expect(stub.pings).toBe(0);
  });

  it('asks nothing when its caller gave up, not its time', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, keepalive: NO_KEEPALIVE } });
    await client.getVersion();
    stub.always('Query', hang());
    const controller = new AbortController();

    const given = quietly(client.with({ signal: controller.signal }).query(query));
    await stub.waitFor(s => s.count('Query') === 1);
    controller.abort();
    await failureOf(given);
    await client.getVersion();

    expect(stub.pings).toBe(0);
  });
});

describe('a connection that was idle for longer than validateAfterIdleMs', () => {
  const pool = { maxConnections: 1, validateAfterIdleMs: 300, keepalive: NO_KEEPALIVE };

  it('is asked once before its next call, however many come at once', async () => {
    const client = pooledClient(stub.address, { pool });
    await client.getVersion();
    expect(stub.pings).toBe(0);
    await pause(350);
    expect(stub.pings).toBe(0);

    await Promise.all(times(10, () => client.getVersion()));

    expect(stub.pings).toBe(1);
    expect(stub.connectionsEver).toBe(1);
    expect(client.pool.stats().closed.failed).toBe(0);
  });

  it('is not asked while it is in use', async () => {
    const client = pooledClient(stub.address, { pool });
    const { opened, open } = gate();
    stub.next('Query', until(opened));
    const long = client.query(query);
    await stub.waitFor(s => s.inFlight === 1);
    await pause(350);
    await client.getVersion();
    open();
    await long;

    expect(stub.pings).toBe(0);
  });

  it('is asked before every call that finds it idle when the limit is 0', async () => {
    const client = pooledClient(stub.address, { pool: { ...pool, validateAfterIdleMs: 0 } });
    await client.getVersion();
    const before = stub.pings;
    for (let calls = 0; calls < 5; calls++) await client.getVersion();

    expect(stub.pings).toBe(before + 5);
  });

  it('is replaced when it is dead, and the call gets the new one', async () => {
    const client = pooledClient(proxy.address, { pool });
    await client.getVersion();
    proxy.freeze(1);
    await pause(350);

    const askedAt = performance.now();
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(performance.now() - askedAt).toBeLessThan(1_000 + SOON_MS);
    expect(stub.received.map(({ connectionId }) => connectionId)).toEqual([1, 2]);
  });

  it('does not hold up a call that another connection can take', async () => {
    const client = pooledClient(proxy.address, { pool: { ...pool, minConnections: 2, maxConnections: 2 } });
    await connected(client);
    stub.on('Query', (_request, call) => (call.connectionId === 1 ? answer() : hang()));
    // The first one answers and is idle from then on; the second has a call in flight.
    const blocked = gate();
    stub.next('GetVersion', until(blocked.opened));
    const first = quietly(client.getVersion());
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const busy = quietly(client.with({ timeoutMs: 60_000 }).query(query));
    await stub.waitFor(s => s.count('Query') === 1);
    blocked.open();
    await first;
    const idle = stub.calls('GetVersion')[0]!.connectionId;
    const other = stub.calls('Query')[0]!.connectionId;
    expect(other).not.toBe(idle);
    proxy.freeze(idle);
    await pause(350);

    await client.getVersion();

    expect(stub.calls('GetVersion').at(-1)!.connectionId).toBe(other);
    await client.drain({ timeoutMs: 0 });
    await failureOf(busy);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MilvusAbortedError,
  MilvusClosedError,
  type MilvusLease,
  MilvusPoolExhaustedError,
} from '../../../lib/index.js';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  gate,
  pooledClient,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { StubServer, until } from '../../support/stub-server.js';
import { connectionsOf, Executed, Load } from './load.js';

const PATIENT = { timeoutMs: 60_000 };
const rows = { collection_name: 'mine', data: [{ id: 1, vector: [1, 2, 3, 4] }] };

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const loadState = (client: MilvusLease['client'], name: string) =>
  client.getLoadState({ collection_name: name });

describe('a lease', () => {
  it.each([1, 3])('has a connection for itself alone (maxConnections: %d)', async maxConnections => {
    new Executed(stub);
    const client = pooledClient(stub.address, { pool: { maxConnections } });
    const load = new Load(client, 40);
    await eventually(() => load.succeeded > 50);
    const lease = await client.pool.acquire(PATIENT);

    const before = load.succeeded;
    await Promise.all(times(20, () => loadState(lease.client, 'mine')));
    await eventually(() => load.succeeded > before + 300);
    await Promise.all(times(20, () => loadState(lease.client, 'mine')));
    await load.stop();

    expect(load.failures).toEqual([]);
    const [mine, ...others] = connectionsOf(stub, 'mine');
    expect(others).toEqual([]);
    const since = stub.received.findIndex(call => call.connectionId === mine && isMine(call));
    const foreign = stub.received.slice(since).filter(call => call.connectionId === mine && !isMine(call));
    expect(foreign).toEqual([]);
    expect(client.pool.stats()).toMatchObject({ leases: { held: 1, pending: 0, max: 5 } });
    expect(client.pool.stats().connections.size).toBeLessThanOrEqual(maxConnections);
    lease.release();
    expect(client.pool.stats().leases.held).toBe(0);
  });

  const isMine = (call: StubServer['received'][number]) => call.request['collection_name'] === 'mine';

  it('may take one of the shared ones that is idle, which is then nobody else’s', async () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 1, maxConnections: 2 } });
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const calls = times(20, () => client.getVersion());
    await eventually(() => client.pool.stats().connections.size === 2);
    open();
    await Promise.all(calls);
    const lease = await client.pool.acquire(PATIENT);
    expect(stub.connectionsEver).toBe(2);
    expect(client.pool.stats()).toMatchObject({ connections: { size: 1 }, leases: { held: 1 } });

    await Promise.all([
      ...times(8, () => loadState(lease.client, 'mine')),
      ...times(8, () => loadState(client, 'theirs')),
    ]);

    expect(connectionsOf(stub, 'mine')).toHaveLength(1);
    expect(connectionsOf(stub, 'theirs')).toHaveLength(1);
    expect(connectionsOf(stub, 'theirs')).not.toEqual(connectionsOf(stub, 'mine'));
  });

  it('carries whatever its client does: several RPCs of a call, pages, pings, checks of health', async () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 2, maxConnections: 2 } });
    await connected(client);
    const lease = await client.pool.acquire(PATIENT);

    await lease.client.insert(rows);
    const pages = await lease.client.queryIterator({ ...rows, filter: 'id > 0', batchSize: 1, limit: 3 });
    for await (const _page of pages);
    await lease.client.ping();
    expect(await lease.client.isAvailable({ timeoutMs: 20_000 })).toBe(true);
    await lease.client.with({ database: 'books' }).getVersion();

    expect(new Set(stub.received.map(({ connectionId }) => connectionId)).size).toBe(1);
    const rpcs = new Set(stub.received.map(({ rpc }) => rpc));
    expect([...rpcs]).toEqual(expect.arrayContaining(['Insert', 'Query', 'GetVersion', 'CheckHealth']));
  });

  it('has the scope of the client that it was acquired through', async () => {
    const client = pooledClient(stub.address, { token: 'root:Milvus' });
    await using lease = await client.with({ database: 'books' }).pool.acquire(PATIENT);
    await lease.client.getVersion();
    await client.getVersion();

    const [mine, other] = stub.calls('GetVersion').map(({ metadata }) => metadata);
    expect(mine).toMatchObject({ dbname: 'books', authorization: btoa('root:Milvus') });
    expect(other).toMatchObject({ dbname: 'default' });
  });

  it('ends with the block of an await using', async () => {
    const client = pooledClient(stub.address, { pool: { maxLeases: 1 } });
    {
      await using lease = await client.pool.acquire(PATIENT);
      await lease.client.getVersion();
      expect(client.pool.stats().leases.held).toBe(1);
    }
    expect(client.pool.stats().leases.held).toBe(0);
    await client.pool.acquire(PATIENT);
  });
});

describe('release', () => {
  it('twice gives nobody else’s lease away', async () => {
    const client = pooledClient(stub.address, { pool: { maxLeases: 1 } });
    const first = await client.pool.acquire(PATIENT);
    first.release();
    const second = await client.pool.acquire(PATIENT);
    first.release();
    await first[Symbol.asyncDispose]();

    expect(client.pool.stats().leases.held).toBe(1);
    await loadState(second.client, 'second');
    const third = await failureOf(client.pool.acquire({ timeoutMs: 100 }));
    expect(third).toBeInstanceOf(MilvusPoolExhaustedError);
  });

  it('is the end of what its client may do', async () => {
    const client = pooledClient(stub.address);
    const lease = await client.pool.acquire(PATIENT);
    const derived = lease.client.with({ timeoutMs: 20_000 });
    lease.release();
    stub.resetCounts();

    for (const call of [
      () => lease.client.getVersion(),
      () => lease.client.insert(rows),
      () => lease.client.ping(),
      () => derived.getVersion(),
    ]) {
      const error = await failureOf(call());
      expect(error).toBeInstanceOf(MilvusClosedError);
      expect(error.message).toMatch(/its lease has been released\. Acquire another with pool\.acquire\(\)/);
    }
    expect(await lease.client.isAvailable()).toBe(false);
    expect(stub.count()).toBe(0);
    await client.getVersion();
  });

  it('lets calls on it end, and gives its connection to nobody before', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, maxLeases: 1 } });
    const first = await client.pool.acquire(PATIENT);
    const { opened, open } = gate();
    stub.next('GetLoadState', until(opened));
    const long = loadState(first.client, 'long');
    await stub.waitFor(s => s.inFlight === 1);
    first.release();

    const second = await client.pool.acquire(PATIENT);
    await loadState(second.client, 'second');
    expect(connectionsOf(stub, 'second')).not.toEqual(connectionsOf(stub, 'long'));
    open();
    await expect(long).resolves.toMatchObject({ state: 'LoadStateLoaded' });
  });

  it('gives the connection to all again where there is a place, and closes it where there is none', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 2 } });
    await connected(client);
    const leases = [await client.pool.acquire(PATIENT), await client.pool.acquire(PATIENT)];
    await stub.waitFor(s => s.connectionsOpen === 3);
    for (const lease of leases) lease.release();

    await eventually(() => client.pool.stats().closed.released === 1);
    expect(client.pool.stats()).toMatchObject({
      connections: { size: 2 },
      created: 3,
      closed: { failed: 0 },
    });
    await stub.waitFor(s => s.connectionsOpen === 2);
    expect(stub.connectionsEver).toBe(3);
  });
});

describe('withConnection', () => {
  it('releases whatever becomes of its function', async () => {
    const client = pooledClient(stub.address, { pool: { maxLeases: 1 } });
    await expect(client.pool.withConnection(each => each.getVersion(), PATIENT)).resolves.toMatchObject({
      version: 'v2.6.0-stub',
    });
    for (const fails of [
      () => Promise.reject(new Error('mine')),
      () => {
        throw new Error('mine');
      },
    ]) {
      await expect(client.pool.withConnection(fails, PATIENT)).rejects.toThrow('mine');
      expect(client.pool.stats().leases.held).toBe(0);
    }
    await expect(client.pool.withConnection(() => 7, PATIENT)).resolves.toBe(7);
  });
});

describe('maxLeases', () => {
  it('5: ten workers with a lease each all finish, and never more than five have one', async () => {
    const busy = new Map<number, number>();
    let mostLeased = 0;
    let mostOpen = 0;
    stub.on('GetLoadState', async (_request, call) => {
      busy.set(call.connectionId, (busy.get(call.connectionId) ?? 0) + 1);
      mostLeased = Math.max(mostLeased, [...busy.values()].filter(calls => calls > 0).length);
      mostOpen = Math.max(mostOpen, stub.connectionsOpen);
      await new Promise(resolve => setTimeout(resolve, 10));
      busy.set(call.connectionId, busy.get(call.connectionId)! - 1);
      return call.defaultAnswer();
    });
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, maxLeases: 5 } });
    await connected(client);
    let held = 0;
    let mostHeld = 0;

    await Promise.all(
      times(10, async worker => {
        await client.pool.withConnection(async mine => {
          mostHeld = Math.max(mostHeld, ++held);
          for (let calls = 0; calls < 10; calls++) await loadState(mine, `worker${worker}`);
          held--;
        }, PATIENT);
      }),
    );

    for (let worker = 0; worker < 10; worker++)
      expect(connectionsOf(stub, `worker${worker}`)).toHaveLength(1);
    expect(stub.connections.every(({ maxInFlight }) => maxInFlight <= 1)).toBe(true);
    expect([mostLeased, mostHeld]).toEqual([5, 5]);
    // The sixth is the one that all share.
    expect(mostOpen).toBeLessThanOrEqual(6);
    expect(stub.count('GetLoadState')).toBe(100);
  });

  it('makes who comes later wait, in order, and says after its time what to do', async () => {
    const client = pooledClient(stub.address, { name: 'search', pool: { maxLeases: 2 } });
    const leases = [await client.pool.acquire(PATIENT), await client.pool.acquire(PATIENT)];
    const order: number[] = [];
    const waiting = times(3, async index => {
      const lease = await client.pool.acquire(PATIENT);
      order.push(index);
      lease.release();
    });
    const startedAt = performance.now();
    const error = await failureOf<MilvusPoolExhaustedError>(client.pool.acquire({ timeoutMs: 150 }));

    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(145);
    expect(performance.now() - startedAt).toBeLessThan(150 + SOON_MS);
    expect(error).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(error).toMatchObject({ client: 'search', method: 'pool.acquire' });
    expect(error.snapshot).toMatchObject({ leases: 2, maxLeases: 2, pending: 4 });
    expect(error.message).toMatch(/pool\.maxLeases/);
    expect(client.pool.stats()).toMatchObject({ leases: { held: 2, pending: 3 }, acquireTimeouts: 1 });

    leases[1]!.release();
    await Promise.all(waiting);
    expect(order).toEqual([0, 1, 2]);
  });

  it('gives the turn of one who gave up to the next', async () => {
    const client = pooledClient(stub.address, { pool: { maxLeases: 1 } });
    const first = await client.pool.acquire(PATIENT);
    const controller = new AbortController();
    const given = quietly(client.with({ signal: controller.signal }).pool.acquire(PATIENT));
    const next = client.pool.acquire(PATIENT);
    await eventually(() => client.pool.stats().leases.pending === 2);

    controller.abort(new Error('enough'));
    expect(await failureOf(given)).toBeInstanceOf(MilvusAbortedError);
    expect(client.pool.stats().leases.pending).toBe(1);
    first.release();
    await (await next).client.getVersion();
    expect(client.pool.stats().leases).toMatchObject({ held: 1, pending: 0 });
  });
});

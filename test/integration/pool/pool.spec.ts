import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { MilvusPoolOptions, PooledMilvusClient } from '../../../lib/index.js';
import { MilvusLite } from '../../../lib/testing/milvus-lite.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { closeClients, eventually, pause, pooledClient, times } from '../../support/pooled-client.js';

const servers = [
  { name: 'Milvus Lite', start: () => MilvusLite.start() },
  { name: 'a full Milvus', start: () => MilvusStandalone.start() },
];

const collection_name = 'pooled';
const metric_type = 'L2';
const vectorOf = (id: number) => [id, 1, 2, 3];
/** More than any machine stands still. */
const PATIENT = { timeoutMs: 120_000 };

describe.each(servers)('a pool before $name', ({ start }) => {
  let server: { address: string; stop(): Promise<void> };
  /** Counts connections, and takes one away. */
  let proxy: FaultProxy;

  beforeAll(async () => {
    server = await start();
    const client = pooledClient(server.address);
    await client.createCollection({
      collection_name,
      dimension: 4,
      metric_type,
      index_params: { index_type: 'AUTOINDEX', metric_type },
      consistency_level: 'Strong',
    } as Parameters<PooledMilvusClient['createCollection']>[0]);
    const data = Array.from({ length: 100 }, (_, id) => ({ id, vector: vectorOf(id) }));
    await client.insert({ collection_name, data });
    await client.loadCollection({ collection_name });
    await closeClients();
  }, 300_000);

  afterAll(() => server?.stop());

  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: server.address });
  });

  afterEach(async () => {
    await closeClients();
    await proxy.stop();
  });

  function patientClient(pool: MilvusPoolOptions = {}): PooledMilvusClient {
    return pooledClient(proxy.address, {
      pool: { acquireTimeoutMs: 120_000, ...pool },
      timeouts: { readMs: 120_000, writeMs: 120_000 },
    });
  }

  async function search(client: PooledMilvusClient, id: number): Promise<void> {
    const { results } = await client.search({ collection_name, data: vectorOf(id), metric_type, limit: 1 });
    expect(results.map(each => each.id)).toEqual([String(id)]);
  }

  /** Searches and other questions of 20 callers for as long as `work` lasts. */
  async function underLoad(client: PooledMilvusClient, work: () => Promise<unknown>): Promise<number> {
    let calls = 0;
    let over = false;
    const callers = times(20, async caller => {
      while (!over) {
        if (caller % 4 === 0) await client.getVersion();
        else await search(client, (caller + calls) % 100);
        calls++;
      }
    });
    await Promise.race([work(), Promise.all(callers)]);
    over = true;
    await Promise.all(callers);
    return calls;
  }

  it('loses no call while its connections are replaced again and again', async () => {
    const client = patientClient({ minConnections: 2, maxConnections: 3, maxLifetimeMs: 300 });
    const calls = await underLoad(client, async () => {
      await pause(2_000);
      await eventually(() => client.pool.stats().closed.lifetime >= 6, 60_000);
    });

    expect(calls).toBeGreaterThan(20);
    expect(proxy.connectionsEver).toBeGreaterThanOrEqual(8);
    expect(client.pool.stats().closed).toMatchObject({ goaway: 0 });
  });

  it('loses no call when all connections are replaced at once', async () => {
    const client = patientClient({ minConnections: 3, maxConnections: 3 });
    await underLoad(client, async () => {
      await eventually(() => client.pool.stats().connections.size === 3);
      await client.pool.reconnect();
      await client.pool.reconnect();
    });

    expect(proxy.connectionsEver).toBe(9);
    await eventually(() => client.pool.stats().closed.reconnect === 6);
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 3);
  });

  it('lends a connection for inserts and searches beside those of others', async () => {
    const client = patientClient({ maxConnections: 1 });
    await underLoad(client, () =>
      client.pool.withConnection(async mine => {
        expect(client.pool.stats().leases.held).toBe(1);
        for (let id = 100; id < 105; id++) {
          await mine.insert({ collection_name, data: [{ id, vector: vectorOf(id) }] });
          await search(mine, id);
        }
        await mine.ping(PATIENT);
      }, PATIENT),
    );

    expect(proxy.connectionsEver).toBe(2);
    expect(client.pool.stats()).toMatchObject({ leases: { held: 0 }, connections: { size: 1 } });
  });

  it('asks a connection that was idle whether it lives, and replaces one that does not', async () => {
    const client = patientClient({ maxConnections: 1, validateAfterIdleMs: 300 });
    await search(client, 1);
    await pause(400);
    await search(client, 2);
    expect(proxy.connectionsEver).toBe(1);

    await pause(400);
    proxy.freeze(1);
    await search(client, 3);
    expect(proxy.connectionsEver).toBe(2);
    expect(client.pool.stats().closed).toMatchObject({ failed: 1 });
  });
});

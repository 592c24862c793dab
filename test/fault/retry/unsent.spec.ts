import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { internals } from '../../../lib/client/client-internals.js';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import {
  closeClients,
  connected,
  durationOf,
  eventually,
  failureOf,
  pooledClient,
  quietly,
  SOON_MS,
} from '../../support/pooled-client.js';
import { executing, goaway, StubServer } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
  stub.always('Insert', executing());
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const pool = { maxConnections: 1 };

/** The HTTP/2 sessions behind a client. */
function sessionsOf(client: PooledMilvusClient) {
  const { upkeep } = client[internals].runtime.endpoint.pool as unknown as {
    upkeep: {
      roster: { members: Set<{ connection: { session: { setNextStreamID(id: number): void } } }> };
    };
  };
  return [...upkeep.roster.members].map(({ connection }) => connection.session);
}

describe('a request that its connection never took', () => {
  it('goes over another one, with retry: false too, and is executed once', async () => {
    const client = pooledClient(stub.address, { pool, retry: false });
    await client.describeCollection({ collection_name: 'c' });
    for (const session of sessionsOf(client)) session.setNextStreamID(2 ** 31 - 1);

    // The first has the last stream that there is.
    await Promise.all([client.insert(rows), client.insert(rows), client.insert(rows)]);
    expect([stub.count('Insert'), stub.executions('Insert')]).toEqual([3, 3]);
    expect(new Set(stub.calls('Insert').map(({ connectionId }) => connectionId)).size).toBe(2);
  });

  it('goes without a pause, be that as long as it may', async () => {
    const retry = { initialDelayMs: 3 * SOON_MS, maxDelayMs: 3 * SOON_MS, jitter: 'none' as const };
    const client = pooledClient(stub.address, { pool, retry });
    stub.next('Insert', goaway(0, 'below'));

    expect(await durationOf(client.insert(rows))).toBeLessThan(SOON_MS);
    expect([stub.count('Insert'), stub.executions('Insert')]).toEqual([2, 1]);
  });
});

describe('a connection that breaks on the way', () => {
  let proxy: FaultProxy;

  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: stub.address });
  });

  afterEach(async () => {
    await closeClients();
    await proxy.stop();
  });

  it.each(['insert', 'getLoadState'] as const)('before Milvus got the request: %s', async method => {
    const client = pooledClient(proxy.address, { pool });
    await client.describeCollection({ collection_name: 'c' });
    proxy.pause('toServer');
    const call = quietly<unknown>(
      method === 'insert' ? client.insert(rows) : client.getLoadState({ collection_name: 'c' }),
    );
    await eventually(() => client.pool.stats().inFlight === 1);
    proxy.cut();
    proxy.resume();

    if (method === 'insert') {
      // Nobody here can know that it never arrived.
      expect(await failureOf(call)).toMatchObject({ name: 'MilvusOutcomeUnknownError', attempts: 1 });
      expect(stub.count('Insert')).toBe(0);
    } else {
      await call;
      expect(stub.count('GetLoadState')).toBe(1);
      expect(client.pool.stats().sends.retries).toBe(1);
    }
  });

  it.each(['cut', 'reset'] as const)('at any moment: an insert is executed once at most (%s)', async how => {
    const client = pooledClient(proxy.address, { pool });
    for (let round = 0; round < 6; round++) {
      await client.describeCollection({ collection_name: 'c' });
      await connected(client);
      stub.resetCounts();
      const before = round < 3 ? () => proxy[how]() : () => {};
      const after = round < 3 ? () => {} : () => proxy[how]();
      before();
      const call = client.insert(rows).then(
        () => 'stored',
        ({ name }: Error) => name,
      );
      after();

      const end = await call;
      expect(['stored', 'MilvusOutcomeUnknownError']).toContain(end);
      if (end === 'stored') expect(stub.executions('Insert')).toBe(1);
      expect(stub.count('Insert')).toBeLessThanOrEqual(1);
    }
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { closeClients, connected, pooledClient, times } from '../../support/pooled-client.js';
import {
  answer,
  type Behaviour,
  executing,
  hang,
  rst,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { QUICK } from './cells.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

async function connections(count: number, maxStreamsPerConnection = 100): Promise<PooledMilvusClient> {
  const pool = { minConnections: count, maxConnections: count, maxStreamsPerConnection };
  const client = pooledClient(stub.address, { pool, retry: QUICK, retryBudget: false });
  await connected(client);
  return client;
}

/** Connections that the attempts of one request came over. */
const wayOf = (rpc: string, name: string) =>
  stub
    .calls(rpc)
    .filter(({ request }) => request['collection_name'] === name)
    .map(({ connectionId }) => connectionId);

/** Fails the first attempt of each request. */
function failFirst(rpc: string, behaviour: Behaviour): void {
  const seen = new Set<unknown>();
  stub.on(rpc, ({ collection_name }) => {
    if (seen.has(collection_name)) return executing(answer());
    seen.add(collection_name);
    return behaviour;
  });
}

const load = (client: PooledMilvusClient, name: string) => client.getLoadState({ collection_name: name });
const insert = (client: PooledMilvusClient, name: string) =>
  client.insert({ collection_name: name, data: [{ id: 1, vector: [1, 2, 3, 4] }] });

describe('another attempt', () => {
  it.each([
    ['a read after UNAVAILABLE', 'GetLoadState', status(14), load],
    ['a read after a reset', 'GetLoadState', rst(2), load],
    ['an insert after REFUSED_STREAM', 'Insert', rst(7), insert],
  ] as const)('goes over another connection: %s', async (_what, rpc, behaviour, call) => {
    const client = await connections(2);
    failFirst(rpc, behaviour);
    // One more failure, and the pool would leave a connection alone.
    for (const name of ['a', 'b']) {
      await call(client, name);
      const [first, second, ...more] = wayOf(rpc, name);
      expect([typeof first, typeof second, more]).toEqual(['number', 'number', []]);
      expect(second).not.toBe(first);
    }
    expect(stub.executions(rpc)).toBe(2);
  });

  it('goes over another connection among many calls', async () => {
    const client = await connections(4);
    failFirst('Insert', rst(7));
    const names = Array.from({ length: 40 }, (_, index) => `c${index}`);
    await Promise.all(times(names.length, index => insert(client, names[index]!)));

    for (const name of names) expect(new Set(wayOf('Insert', name)).size).toBe(2);
    expect(stub.count('Insert')).toBe(80);
    expect(stub.executions('Insert')).toBe(40);
  });

  it('goes over the same one when there is no other', async () => {
    const client = await connections(1);
    failFirst('GetLoadState', status(14));
    await load(client, 'a');

    expect(wayOf('GetLoadState', 'a')).toEqual([1, 1]);
  });

  it('goes over the same one rather than wait for room on another', async () => {
    const client = await connections(2, 1);
    failFirst('GetLoadState', status(14));
    stub.next('GetVersion', hang());
    client.getVersion().catch(() => {});
    await stub.waitFor(({ inFlight }) => inFlight === 1);
    const [taken] = stub.received.map(({ connectionId }) => connectionId);
    await load(client, 'a');

    const way = wayOf('GetLoadState', 'a');
    expect(way).toHaveLength(2);
    expect(way).not.toContain(taken);
  });
});

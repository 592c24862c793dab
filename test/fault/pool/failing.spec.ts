import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MilvusClientOptions } from '../../../lib/index.js';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  pooledClient,
  times,
} from '../../support/pooled-client.js';
import { answer, StubServer, status } from '../../support/stub-server.js';
import { Load } from './load.js';

let stub: StubServer;
/** Connections on which the server answers UNAVAILABLE, as a proxy behind a load balancer may. */
let ill: Set<number>;

beforeEach(async () => {
  stub = await StubServer.start();
  ill = new Set();
  stub.on('GetLoadState', (_request, { connectionId }) =>
    ill.has(connectionId) ? status(14, 'no coordinator') : answer(),
  );
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

async function threeConnections(options?: Pick<MilvusClientOptions, 'retry'>) {
  const client = pooledClient(stub.address, { pool: { minConnections: 3, maxConnections: 3 }, ...options });
  await connected(client);
  return client;
}

const callsOn = (id: number) => stub.connections.find(each => each.id === id)!.calls;

describe('a connection that keeps failing', () => {
  it.each([1, 3])('is left alone while others work, and gets calls again when it works (%d)', async id => {
    const client = await threeConnections();
    ill.add(id);
    const load = new Load(client, 12);
    await eventually(() => callsOn(id) >= 3);
    const before = load.succeeded;
    const startedAt = performance.now();
    await eventually(() => load.succeeded - before > 600);
    const seconds = (performance.now() - startedAt) / 1_000;

    // Those that were on it already, then one at a time after a pause of a second or more.
    expect(callsOn(id)).toBeLessThan(20 + 2 * seconds);
    // Each is sent once more, on another one.
    expect(load.failures).toEqual([]);
    expect(stub.connectionsEver).toBe(3);

    ill.clear();
    const failed = callsOn(id);
    await eventually(() => callsOn(id) > failed + 100);
    await load.stop();
  });

  it('is left alone although calls come one after the other', async () => {
    const client = await threeConnections();
    ill.add(1);
    for (let calls = 0; calls < 100; calls++) await client.getLoadState({ collection_name: 'c' });

    expect(callsOn(1)).toBeGreaterThan(0);
    expect(callsOn(1)).toBeLessThan(20);
    expect(stub.count()).toBe(100 + callsOn(1));
    expect(client.pool.stats().sends).toMatchObject({ rpcs: 100, retries: callsOn(1) });
  });

  it('gets calls when all fail alike, and no connection is dropped for that', async () => {
    const client = await threeConnections({ retry: false });
    for (const each of [1, 2, 3]) ill.add(each);
    for (let round = 0; round < 10; round++) {
      await Promise.all(times(9, () => failureOf(client.getLoadState({ collection_name: 'c' }))));
    }
    expect(stub.count()).toBe(90);

    ill.clear();
    await Promise.all(times(90, () => client.getLoadState({ collection_name: 'c' })));
    expect(stub.connectionsEver).toBe(3);
    expect(stub.connections.every(({ calls }) => calls > 30)).toBe(true);
  });

  it('gets calls when there is no other', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 }, retry: false });
    ill.add(1);
    for (let calls = 0; calls < 10; calls++) await failureOf(client.getLoadState({ collection_name: 'c' }));

    expect(stub.count()).toBe(10);
  });
});

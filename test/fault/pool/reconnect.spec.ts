import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusClosedError, MilvusUnavailableError } from '../../../lib/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import {
  closeClients,
  connected,
  eventually,
  eventuallyResolves,
  failureOf,
  pooledClient,
  times,
} from '../../support/pooled-client.js';
import { answer, hang, StubServer } from '../../support/stub-server.js';
import { Executed, Load } from './load.js';

const MINUTE = 60_000;

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

async function threeConnections(connectTimeoutMs = 20_000) {
  const client = pooledClient(proxy.address, {
    name: 'search',
    pool: { minConnections: 3, maxConnections: 3, acquireTimeoutMs: MINUTE, connectTimeoutMs },
    timeouts: { readMs: MINUTE },
  });
  await connected(client);
  return client;
}

/** Connections that carry calls now. */
async function serving(client: Awaited<ReturnType<typeof threeConnections>>): Promise<number[]> {
  stub.resetCounts();
  stub.delayMs = 50;
  await Promise.all(times(30, () => client.getVersion()));
  stub.delayMs = 0;
  return [...new Set(stub.calls('GetVersion').map(({ connectionId }) => connectionId))].sort();
}

describe('reconnect', () => {
  it('replaces every connection, while calls go on and none fails', async () => {
    const executed = new Executed(stub);
    const client = await threeConnections();
    const load = new Load(client, 50);
    await eventually(() => load.succeeded > 100);

    await client.pool.reconnect();
    const before = load.succeeded;
    await eventually(() => load.succeeded > before + 200);
    await load.stop();

    expect(load.failures).toEqual([]);
    expect(executed.notOnce(load.names)).toEqual([]);
    expect(await serving(client)).toEqual([4, 5, 6]);
    await stub.waitFor(s => s.connectionsOpen === 3);
    await eventually(() => client.pool.stats().closed.reconnect === 3);
    expect(client.pool.stats()).toMatchObject({ created: 6, connections: { size: 3, leaving: 0 } });
  });

  it('is one, however many ask for it at once', async () => {
    const client = await threeConnections();
    let over = false;
    const first = client.pool.reconnect().finally(() => {
      over = true;
    });
    const others: Promise<void>[] = [];
    // Some ask when one or two have been replaced.
    while (!over) {
      others.push(client.pool.reconnect());
      await new Promise(resolve => setImmediate(resolve));
    }
    await Promise.all([first, ...others]);
    expect(others.length).toBeGreaterThan(2);
    expect(proxy.connectionsEver).toBe(6);

    await client.pool.reconnect();
    expect(proxy.connectionsEver).toBe(9);
    expect(client.pool.stats().connections.size).toBe(3);
  });

  it('looks at each new connection before it takes the place of an old one', async () => {
    const client = await threeConnections();
    stub.on('GetVersion', (_request, { connectionId }) => (connectionId <= 3 ? answer() : hang()));

    expect(await failureOf(client.pool.reconnect())).toBeInstanceOf(MilvusUnavailableError);

    expect(await serving(client)).toEqual([1, 2, 3]);
    expect(client.pool.stats().closed.reconnect).toBe(0);
  });

  it.each<[string, (proxy: FaultProxy) => void]>([
    ['refuses', each => each.refuse()],
    ['swallows', each => each.blackholeNew()],
  ])('fails when the server %s new connections, and the old ones go on', async (_what, fault) => {
    const client = await threeConnections(1_000);
    fault(proxy);

    const errors = await Promise.all(times(3, () => failureOf(client.pool.reconnect())));
    for (const error of errors) {
      expect(error).toBeInstanceOf(MilvusUnavailableError);
      expect(error).toMatchObject({ client: 'search', method: 'pool.reconnect' });
    }
    expect(await serving(client)).toEqual([1, 2, 3]);
    expect(stub.connectionsOpen).toBe(3);

    proxy.resume();
    await proxy.accept();
    await eventuallyResolves(() => client.pool.reconnect());
    expect((await serving(client)).every(id => id > 3)).toBe(true);
  });

  it('leaves leases alone', async () => {
    const client = await threeConnections();
    const lease = await client.pool.acquire({ timeoutMs: MINUTE });
    await lease.client.getVersion();
    const mine = stub.calls('GetVersion')[0]!.connectionId;
    await client.pool.reconnect();
    await lease.client.getVersion();

    expect(stub.calls('GetVersion').at(-1)!.connectionId).toBe(mine);
  });

  it('is refused by a client that is closed', async () => {
    const client = await threeConnections();
    await client.drain({ timeoutMs: 0 });
    expect(await failureOf(client.pool.reconnect())).toBeInstanceOf(MilvusClosedError);
    expect(proxy.connectionsEver).toBe(3);
  });
});

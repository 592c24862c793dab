import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { freePort } from '../../../lib/testing/free-port.js';
import { closeClients, failureOf, pause, pooledClient } from '../../support/pooled-client.js';
import { StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('building a client', () => {
  it('touches no network', async () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 4 } });
    await pause(100);

    expect(client).toBeInstanceOf(MilvusClient);
    expect(stub.connectionsEver).toBe(0);
    expect(client.pool.state).toBe('idle');
    expect(client.pool.stats()).toMatchObject({
      connections: { size: 0, idle: 0, used: 0, creating: 0, leaving: 0, min: 4, max: 4, overflow: -4 },
      inFlight: 0,
      pending: 0,
      leases: { held: 0, pending: 0, max: 5 },
      created: 0,
    });
  });

  // An unhandled rejection of the SDK's own connect would fail this test: jest listens for them.
  it('leaves nothing behind when there is no server', async () => {
    const client = pooledClient(`127.0.0.1:${await freePort()}`);
    await pause(200);

    expect(client.pool.state).toBe('idle');
  });

  it('can be ended before anything was sent', async () => {
    const client = pooledClient(stub.address);

    expect(await client.drain()).toMatchObject({ clean: true, clients: [{ finishedCalls: 0 }] });
    expect(client.pool.state).toBe('closed');
    expect(stub.connectionsEver).toBe(0);
  });
});

describe("the SDK's own machinery", () => {
  it.each([
    ['UNAVAILABLE', 14],
    ['INTERNAL', 13],
    ['UNKNOWN', 2],
    ['ABORTED', 10],
  ])('does not send an insert again that was answered %s', async (_name, code) => {
    const client = pooledClient(stub.address);
    stub.always('Insert', status(code, 'no'));

    await failureOf(client.insert({ collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] }));

    expect(stub.count('Insert')).toBe(1);
  });

  it('opens no connection of its own and sends no heartbeat', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 } });
    client.connect();
    await client.getVersion();
    await client.listCollections();
    await pause(100);

    expect(stub.connectionsEver).toBe(1);
    expect(stub.received.map(({ rpc }) => rpc)).toEqual(['GetVersion', 'ShowCollections']);
  });

  it('does not look for a primary', async () => {
    await expect(pooledClient(stub.address).reconnectToPrimary()).resolves.toBe(false);
    expect(stub.connectionsEver).toBe(0);
  });
});

describe('connect()', () => {
  it('opens pool.minConnections and sends nothing', async () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 3 } });
    client.connect();
    await stub.waitFor(s => s.connectionsOpen === 3);
    await pause(50);

    expect(stub.connectionsEver).toBe(3);
    expect(stub.count()).toBe(0);
    expect(client.pool.state).toBe('ready');
  });
});

describe('an RPC from outside of any method', () => {
  it('goes the same way, with the credentials', async () => {
    const client = pooledClient(stub.address, { token: 'root:Milvus' });
    const channel = (await client.channelPool.acquire()) as unknown as Record<string, CallableFunction>;
    const answer = await new Promise((resolve, reject) =>
      channel['GetVersion']!(
        {},
        { deadline: new Date(Date.now() + 5_000) },
        (error: unknown, response: unknown) => (error ? reject(error) : resolve(response)),
      ),
    );

    expect(answer).toMatchObject({ version: 'v2.6.0-stub' });
    expect(stub.calls('GetVersion')[0]?.metadata['authorization']).toBe(btoa('root:Milvus'));
  });
});

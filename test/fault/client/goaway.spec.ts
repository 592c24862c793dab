import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeClients, gate, pooledClient, quietly } from '../../support/pooled-client.js';
import { StubServer, until } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe("the server's GOAWAY", () => {
  it('lets calls in flight end, and moves later ones to a new connection', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 } });
    const under = quietly(client.getVersion());
    await stub.waitFor(s => s.inFlight === 1);

    stub.goaway();
    await stub.waitFor(s => s.connectionsEver === 2);
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    open();
    await expect(under).resolves.toMatchObject({ version: 'v2.6.0-stub' });

    const [first, second] = stub.received.map(({ connectionId }) => connectionId);
    expect(second).not.toBe(first);
    await stub.waitFor(s => s.connectionsOpen === 1);
    expect(stub.connectionsEver).toBe(2);
  });

  it('on an idle connection costs the next call nothing but a new connection', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 } });
    await client.getVersion();

    stub.goaway();
    await stub.waitFor(s => s.connectionsEver === 2);

    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('of a server that restarts in good order is not an outage', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 } });
    await client.getVersion();
    const port = Number(stub.address.split(':')[1]);

    await stub.shutdown();
    stub = await StubServer.start({ port });

    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });
});

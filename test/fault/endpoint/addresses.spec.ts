import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeClients, pooledClient } from '../../support/pooled-client.js';
import { StubServer } from '../../support/stub-server.js';

let first: StubServer;
let second: StubServer;

beforeEach(async () => {
  first = await StubServer.start();
  second = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await Promise.all([first.stop(), second.stop()]);
});

const clientOf = () =>
  pooledClient([first.address, second.address], { pool: { minConnections: 2, maxConnections: 2 } });

describe('several addresses of one Milvus', () => {
  it('share the connections', async () => {
    const client = clientOf();
    await client.ping({ timeoutMs: 10_000 });
    await Promise.all(
      [first, second].map(stub => stub.waitFor(({ connectionsOpen }) => connectionsOpen === 1)),
    );

    expect([first.connectionsEver, second.connectionsEver]).toEqual([1, 1]);
  });

  it('stand in for each other', async () => {
    await first.stop();
    const client = clientOf();

    expect(await client.ping({ timeoutMs: 10_000 })).toMatchObject({ version: 'v2.6.0-stub' });
    await second.waitFor(({ connectionsOpen }) => connectionsOpen === 2);
    expect(second.count('GetVersion')).toBe(1);
  });

  it('are all named when none of them is there', async () => {
    await Promise.all([first.stop(), second.stop()]);
    const error = await clientOf()
      .ping({ timeoutMs: 500 })
      .catch((reason: Error) => reason);

    expect((error as Error).message).toContain(first.address);
    expect((error as Error).message).toContain(second.address);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  closeClients,
  connected,
  eventually,
  gate,
  pooledClient,
  quietly,
  times,
} from '../../support/pooled-client.js';
import { answer, hang, StubServer, until } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('100 calls at once', () => {
  it('are all in flight at the server, over exactly the configured connections', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const client = pooledClient(stub.address, { pool: { minConnections: 4, maxConnections: 4 } });
    await connected(client);

    const calls = times(100, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 100);
    open();
    await Promise.all(calls);

    expect(stub.connectionsEver).toBe(4);
    expect(stub.connections.map(({ calls }) => calls)).toEqual([25, 25, 25, 25]);
  });

  it('are so without any connection to begin with', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const client = pooledClient(stub.address, { pool: { minConnections: 4, maxConnections: 4 } });

    const calls = times(100, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 100 && s.connectionsOpen === 4);
    open();
    await Promise.all(calls);

    expect(stub.connectionsEver).toBe(4);
  });

  it('fit on one connection when there may be no more', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 } });

    const calls = times(100, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 100);
    expect(client.pool.stats()).toMatchObject({
      inFlight: 100,
      pending: 0,
      connections: { size: 1, used: 1 },
    });
    open();
    await Promise.all(calls);

    expect(stub.connectionsEver).toBe(1);
  });
});

describe('connections', () => {
  it('grow to maxConnections for a burst, and not beyond', async () => {
    const { opened, open } = gate();
    const client = pooledClient(stub.address, { pool: { minConnections: 1, maxConnections: 4 } });
    await client.getVersion();
    expect(stub.connectionsEver).toBe(1);

    stub.always('GetVersion', until(opened));
    const calls: Promise<unknown>[] = [];
    // Each wave finds all connections busy, and has another one opened for those that come after it.
    for (const size of [2, 3, 4, 4]) {
      calls.push(...times(50, () => client.getVersion()));
      await eventually(() => client.pool.stats().connections.size === size);
    }
    await stub.waitFor(s => s.inFlight === 200);
    open();
    await Promise.all(calls);

    expect(stub.connectionsEver).toBe(4);
    expect(client.pool.stats().connections).toMatchObject({ size: 4, idle: 4, creating: 0 });
  });

  it('grow to maxConnections under steady load, and share it', async () => {
    stub.delayMs = 5;
    const client = pooledClient(stub.address, { pool: { minConnections: 1, maxConnections: 4 } });
    let done = false;
    const workers = times(100, async () => {
      while (!done) await client.getVersion();
    });
    await eventually(() => client.pool.stats().connections.size === 4);
    done = true;
    await Promise.all(workers);
    stub.resetCounts();
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));

    const calls = times(40, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 40);
    open();
    await Promise.all(calls);

    expect(stub.connections.map(({ calls }) => calls)).toEqual([10, 10, 10, 10]);
    expect(stub.connectionsEver).toBe(4);
  });

  it('do not grow for a few calls at once', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const client = pooledClient(stub.address, { pool: { minConnections: 1, maxConnections: 4 } });

    const calls = times(5, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 5);
    open();
    await Promise.all(calls);

    expect(stub.connectionsEver).toBe(1);
  });
});

describe('a call', () => {
  it('goes to the connection with the fewest in flight', async () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 2, maxConnections: 2 } });
    await connected(client);
    let slow: number | undefined;
    stub.on('GetVersion', (_request, call) => {
      slow ??= call.connectionId;
      return call.connectionId === slow ? hang() : answer();
    });

    quietly(client.getVersion());
    await stub.waitFor(s => s.count() === 1);
    for (let i = 0; i < 20; i++) await client.getVersion();

    const calls = Object.fromEntries(stub.connections.map(({ id, calls }) => [id, calls]));
    expect(calls[slow!]).toBe(1);
    expect(stub.count()).toBe(21);
  });

  it('is not held up by others: twenty answers pass one that hangs', async () => {
    stub.next('GetVersion', hang());
    const client = pooledClient(stub.address, { pool: { maxConnections: 1 } });
    quietly(client.getVersion());
    await stub.waitFor(s => s.count() === 1);

    await Promise.all(times(20, () => client.getVersion()));

    expect(client.pool.stats()).toMatchObject({ inFlight: 1, pending: 0 });
  });

  it('respects what the server says it takes at once', async () => {
    await stub.stop();
    stub = await StubServer.start({ settings: { maxConcurrentStreams: 5 } });
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const client = pooledClient(stub.address, { pool: { maxConnections: 2 } });

    const calls = times(40, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 10);
    open();
    await Promise.all(calls);

    expect(Math.max(...stub.connections.map(({ maxInFlight }) => maxInFlight))).toBe(5);
    expect(stub.connectionsEver).toBe(2);
    expect(stub.count()).toBe(40);
  });
});

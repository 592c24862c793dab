import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeClients, eventually, pause, pooledClient } from '../../support/pooled-client.js';
import { StubServer, type StubServerOptions } from '../../support/stub-server.js';
import { Executed, Load } from './load.js';

let stub: StubServer;

beforeEach(() => start());

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

async function start(options?: StubServerOptions): Promise<void> {
  await stub?.stop();
  stub = await StubServer.start(options);
}

const most = () => stub.connections.map(({ maxInFlight }) => maxInFlight);

describe('calls in flight on a connection', () => {
  it('are maxStreamsPerConnection at most, and so many when there are more', async () => {
    const executed = new Executed(stub);
    const pool = { maxConnections: 3, maxStreamsPerConnection: 7, acquireTimeoutMs: 30_000 };
    const client = pooledClient(stub.address, { pool, timeouts: { readMs: 60_000 } });

    const load = new Load(client, 100);
    await eventually(() => client.pool.stats().connections.size === 3 && load.succeeded > 1_500);
    await load.stop();

    expect(most()).toEqual([7, 7, 7]);
    expect(load.failures).toEqual([]);
    expect(executed.notOnce(load.names)).toEqual([]);
  });

  it('are no more than the server says, also when it says something else later', async () => {
    await start({ settings: { maxConcurrentStreams: 5 } });
    new Executed(stub);
    const pool = { minConnections: 2, maxConnections: 2, acquireTimeoutMs: 30_000 };
    const client = pooledClient(stub.address, { pool, timeouts: { readMs: 60_000 } });

    for (const limit of [5, 2, 9]) {
      stub.updateSettings({ maxConcurrentStreams: limit });
      // Behind the settings, on each of the two.
      for (let calls = 0; calls < 20 || stub.connectionsEver < 2; calls++) {
        await Promise.all([client.getVersion(), client.getVersion()]);
      }
      stub.resetCounts();
      const load = new Load(client, 60);
      let mostSent = 0;
      await eventually(() => {
        // What is above the limit waits in the pool's line, not in the connection.
        mostSent = Math.max(mostSent, client.pool.stats().inFlight);
        return load.succeeded > 500;
      });
      await load.stop();

      expect(most()).toEqual([limit, limit]);
      expect(mostSent).toBe(2 * limit);
      expect(load.failures).toEqual([]);
    }
  });
});

describe('the number of connections', () => {
  it('grows to exactly the maximum under load, and shrinks to exactly the minimum after it', async () => {
    new Executed(stub, 5);
    const pool = { minConnections: 2, maxConnections: 5, idleTimeoutMs: 700, acquireTimeoutMs: 30_000 };
    const client = pooledClient(stub.address, { pool, timeouts: { readMs: 60_000 } });
    let mostOpen = 0;
    const watch = setInterval(() => {
      mostOpen = Math.max(mostOpen, stub.connectionsOpen);
    }, 2);

    for (const ever of [5, 8]) {
      const load = new Load(client, 100);
      await eventually(() => client.pool.stats().connections.size === 5 && load.succeeded > 300);
      await load.stop();
      expect(stub.connectionsEver).toBe(ever);
      expect(load.failures).toEqual([]);

      await stub.waitFor(s => s.connectionsOpen === 2);
      // Those that are left stay, however long nobody calls.
      await pause(900);
      expect(stub.connectionsOpen).toBe(2);
      expect(client.pool.stats()).toMatchObject({
        connections: { size: 2, overflow: 0, leaving: 0 },
        closed: { idle: ever - 2, failed: 0 },
      });
    }
    clearInterval(watch);

    expect(mostOpen).toBe(5);
    await client.getVersion();
    expect(stub.connectionsEver).toBe(8);
  });
});

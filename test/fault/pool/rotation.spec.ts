import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MilvusPoolOptions } from '../../../lib/index.js';
import { closeClients, eventually, pause, pooledClient } from '../../support/pooled-client.js';
import { answer, hang, StubServer } from '../../support/stub-server.js';
import { Executed, Load } from './load.js';

/** How long the load lasts; `npm run soak:rotation` takes longer. */
const SECONDS = Number(process.env['ROTATION_SECONDS'] ?? 2.5);

let stub: StubServer;
let executed: Executed;

beforeEach(async () => {
  stub = await StubServer.start();
  executed = new Executed(stub);
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

/** A client with more time for each call than any machine stands still. */
function rotating(pool: MilvusPoolOptions) {
  return pooledClient(stub.address, {
    pool: { minConnections: 3, maxConnections: 4, acquireTimeoutMs: 60_000, ...pool },
    timeouts: { readMs: 60_000 },
  });
}

/** 200 callers, until the time is up and this many connections have carried calls. */
async function underLoad(client: ReturnType<typeof rotating>, connections: number): Promise<Load> {
  const load = new Load(client, 200);
  const until = performance.now() + SECONDS * 1_000;
  while (performance.now() < until || executed.connections.size < connections) {
    await pause(100);
    // The server remembers every call; a long run has too many for that.
    stub.received = [];
  }
  await load.stop();
  return load;
}

function expectNothingLost(load: Load): void {
  expect(load.failures).toEqual([]);
  expect(load.succeeded).toBe(load.names.length);
  expect(executed.notOnce(load.names)).toEqual([]);
  expect(executed.count).toBe(load.succeeded);
}

describe('200 callers', () => {
  it('lose no call while every connection is replaced ten times a second', async () => {
    const client = rotating({ maxLifetimeMs: 100 });
    const load = await underLoad(client, 20);

    expectNothingLost(load);
    await eventually(() => client.pool.stats().closed.lifetime >= 16);
    // As many at once as there may be, one that is being opened, and those whose last calls are ending.
    expect(client.pool.stats().connections.size).toBeLessThanOrEqual(4);
  }, 300_000);

  it('lose no call while reconnect() is called ten times a second', async () => {
    const client = rotating({ maxConnections: 3 });
    const reconnects: Promise<unknown>[] = [];
    const timer = setInterval(() => {
      // On a machine that stalls for more than the limit of a check one may fail, which costs no call either.
      reconnects.push(client.pool.reconnect().catch(() => 'failed'));
    }, 100);
    const load = await underLoad(client, 20).finally(() => clearInterval(timer));
    const outcomes = await Promise.all(reconnects);

    expectNothingLost(load);
    expect(outcomes.filter(outcome => outcome !== 'failed').length).toBeGreaterThan(outcomes.length / 2);
    expect(client.pool.stats().closed.reconnect).toBeGreaterThanOrEqual(15);
  }, 300_000);
});

describe('a connection at the end of its life', () => {
  it('is swapped for one that has answered, and lets its last calls end', async () => {
    const client = rotating({ minConnections: 1, maxConnections: 1, maxLifetimeMs: 400 });
    let finish = () => {};
    stub.next('Query', call => {
      finish = () => answer()(call);
    });
    const long = client.query({ collection_name: 'c', filter: 'id > 0' });
    await stub.waitFor(s => s.count('Query') === 1 && s.connectionsEver >= 2);
    const [query] = stub.calls('Query');
    await eventually(() => client.pool.stats().connections.leaving > 0);
    expect(query!.connection.open).toBe(true);
    await client.getVersion();
    expect(stub.calls('GetVersion').at(-1)!.connectionId).not.toBe(query!.connectionId);

    finish();
    await long;
    await eventually(() => !query!.connection.open);
  });

  it('stays as long as no new one answers', async () => {
    stub.on('GetVersion', (_request, { connectionId }) => (connectionId === 1 ? answer() : hang()));
    const client = rotating({ minConnections: 1, maxConnections: 1, maxLifetimeMs: 200 });
    await client.getVersion();

    // The new one was looked at, in vain.
    await eventually(() => client.pool.stats().closed.failed > 0);
    const { version } = await client.getVersion();

    expect(version).toBe('v2.6.0-stub');
    expect(stub.connections[0]!.open).toBe(true);
    expect(client.pool.stats().closed.lifetime).toBe(0);
    expect(client.pool.state).toBe('degraded');
  });
});

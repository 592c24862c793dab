import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusCircuitOpenError, type PooledMilvusClient } from '../../../lib/index.js';
import type { MilvusClientOptions } from '../../../lib/options/milvus-client-options.js';
import {
  closeClients,
  eventuallyResolves,
  failureOf,
  gate,
  pause,
  pooledClient,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { ANY, StubServer, status, until } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const load = (client: PooledMilvusClient) => client.getLoadState({ collection_name: 'c' });

/** A client whose circuit has just opened, because the server says UNAVAILABLE. */
async function broken(options: Partial<MilvusClientOptions>): Promise<PooledMilvusClient> {
  const client = pooledClient(stub.address, { circuitBreaker: {}, retry: false, ...options });
  await client.getVersion();
  stub.always(ANY, status(14, 'away'));
  for (let failed = 0; failed < 5; failed++) {
    expect(client.pool.circuit.state).toBe('closed');
    await failureOf(load(client));
  }
  expect(client.pool.circuit.state).toBe('open');
  return client;
}

describe('a circuit that is closed', () => {
  it('stays so while a call succeeds now and then', async () => {
    const client = pooledClient(stub.address, { circuitBreaker: {}, retry: false, health: false });
    for (let round = 0; round < 3; round++) {
      stub.next('GetLoadState', status(14, 'away'), 4);
      for (let failed = 0; failed < 4; failed++) await failureOf(load(client));
      await load(client);
    }

    expect(client.pool.circuit.state).toBe('closed');
    expect(client.pool.circuit.metrics()).toMatchObject({
      totalFailures: 12,
      totalRequests: 15,
      stateChanges: 0,
    });
  });
});

describe('a circuit that is open', () => {
  it('is tried as soon as the server says that it is well, long before recoveryTimeoutMs', async () => {
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs: 600_000 } });
    await stub.waitFor(s => s.count('CheckHealth') >= 2);
    const error = await failureOf<MilvusCircuitOpenError>(load(client));
    expect(error.retryAfterMs).toBeGreaterThan(500_000);

    stub.behave();
    const backAt = performance.now();
    await eventuallyResolves(() => load(client));
    expect(performance.now() - backAt).toBeLessThan(SOON_MS);
    await load(client);
    expect(client.pool.circuit.state).toBe('closed');
    expect(client.pool.circuit.metrics().stateChanges).toBe(3);
  });

  it('is tried as soon as the server refuses to say how it is: it lives', async () => {
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs: 600_000 } });
    stub.behave();
    stub.always('CheckHealth', status(16, 'auth check failure'));
    const backAt = performance.now();
    await eventuallyResolves(() => load(client));

    expect(performance.now() - backAt).toBeLessThan(SOON_MS);
  });

  it('sends nothing while it waits, but a question now and then', async () => {
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs: 600_000 } });
    stub.resetCounts();
    const startedAt = performance.now();
    while (performance.now() - startedAt < 2_000) {
      expect(await failureOf(load(client))).toBeInstanceOf(MilvusCircuitOpenError);
      await pause(5);
    }
    const seconds = (performance.now() - startedAt) / 1_000;

    expect(stub.count('GetLoadState')).toBe(0);
    // While somebody calls, at least twice a second on a machine that is not stalled.
    expect(stub.count('CheckHealth')).toBeGreaterThanOrEqual(3);
    expect(stub.count('CheckHealth')).toBeLessThanOrEqual(4 + seconds * 4);
  });

  it('is tried after a ping that is answered, where nobody else asks', async () => {
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs: 600_000 }, health: false });
    stub.behave();
    await client.ping();
    expect(client.pool).toMatchObject({ state: 'degraded', circuit: { state: 'half-open' } });
    await load(client);
    await load(client);
    expect(client.pool).toMatchObject({ state: 'ready', circuit: { state: 'closed' } });
  });

  it('lets one call through at a time, and the others fail until it has ended', async () => {
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs: 300 }, health: false });
    stub.behave();
    const { opened, open } = gate();
    stub.always('GetLoadState', until(opened));
    stub.resetCounts();
    await pause(320);
    const trial = quietly(load(client));
    for (const error of await Promise.all(times(50, () => failureOf(load(client))))) {
      expect(error).toBeInstanceOf(MilvusCircuitOpenError);
    }
    open();
    await trial;
    expect(client.pool.circuit.state).toBe('half-open');
    await load(client);

    expect(client.pool.circuit.state).toBe('closed');
    expect(stub.count('GetLoadState')).toBe(2);
  });
});

describe('without health checks', () => {
  it('no question ever reaches the server, and it is tried again after recoveryTimeoutMs', async () => {
    const recoveryTimeoutMs = 600;
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs }, health: false });
    const openedAt = performance.now();
    stub.behave();
    stub.resetCounts();
    await eventuallyResolves(() => load(client));

    // Node fires timers up to 1 ms early.
    expect(performance.now() - openedAt).toBeGreaterThan(recoveryTimeoutMs - 50);
    expect(performance.now() - openedAt).toBeLessThan(recoveryTimeoutMs + SOON_MS);
    expect(stub.count('CheckHealth')).toBe(0);
    expect(stub.count('GetVersion')).toBe(0);
  });

  it('one failure among those that are let through opens it again, for as long', async () => {
    const client = await broken({ circuitBreaker: { recoveryTimeoutMs: 300 }, health: false });
    stub.resetCounts();
    for (let round = 1; round <= 3; round++) {
      await pause(320);
      expect(await failureOf(load(client))).not.toBeInstanceOf(MilvusCircuitOpenError);
      expect(await failureOf(load(client))).toBeInstanceOf(MilvusCircuitOpenError);
      expect(stub.count('GetLoadState')).toBe(round);
    }
    expect(client.pool.circuit.metrics().stateChanges).toBe(1 + 3 * 2);
  });
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusPoolExhaustedError, type PooledMilvusClient } from '../../../lib/index.js';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  gate,
  pause,
  pooledClient,
  quietly,
  times,
} from '../../support/pooled-client.js';
import { hang, StubServer, until } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

/** One connection with room for one, who does not go. */
async function occupied(pool: { acquireTimeoutMs?: number; maxPending?: number }) {
  const client = pooledClient(stub.address, {
    pool: { maxConnections: 1, maxStreamsPerConnection: 1, ...pool },
    timeouts: { readMs: 600_000 },
  });
  await connected(client);
  stub.next('GetVersion', hang());
  quietly(client.getVersion());
  await stub.waitFor(s => s.count() === 1);
  return client;
}

async function heapUsed(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  for (let i = 0; i < 3; i++) {
    gc();
    await pause(20);
  }
  return process.memoryUsage().heapUsed;
}

/** Many calls at once that find no room; how they ended. */
async function crowd(client: PooledMilvusClient, count: number) {
  let exhausted = 0;
  let pending = 0;
  const calls = times(count, () =>
    client.getVersion().catch(error => {
      if (!(error instanceof MilvusPoolExhaustedError)) return;
      exhausted += 1;
      pending = Math.max(pending, error.snapshot.pending);
    }),
  );
  const startedAt = performance.now();
  await Promise.all(calls);
  return { exhausted, pending, tookMs: performance.now() - startedAt };
}

let unhinderedMs: number | undefined;

/** How long this machine takes for so many calls that do not wait, in ms: they are refused at once. */
async function unhindered(count: number): Promise<number> {
  if (unhinderedMs !== undefined) return unhinderedMs;
  const client = await occupied({ maxPending: 1, acquireTimeoutMs: 60_000 });
  quietly(client.getVersion());
  await eventually(() => client.pool.stats().pending === 1);
  const startedAt = performance.now();
  await crowd(client, count);
  unhinderedMs = performance.now() - startedAt;
  return unhinderedMs;
}

describe('10,000 calls that wait for room, with a limit of 1 s', () => {
  it('all end soon after it, and leave nothing behind', async () => {
    const ownMs = await unhindered(10_000);
    stub.resetCounts();
    const client = await occupied({ acquireTimeoutMs: 1_000, maxPending: 20_000 });
    await crowd(client, 1_000);
    const before = await heapUsed();

    const { exhausted, pending, tookMs } = await crowd(client, 10_000);

    expect(exhausted).toBe(10_000);
    // The first to leave saw all the others, and itself if its own limit was sooner than the line's.
    expect([9_999, 10_000]).toContain(pending);
    expect(tookMs).toBeLessThan(5 * (1_000 + ownMs));
    const stats = client.pool.stats();
    expect(stats).toMatchObject({ pending: 0, inFlight: 1, acquireTimeouts: 11_000 });
    expect(stub.count()).toBe(1);
    // 10,000 of anything that is kept would be more: a waiter and its call are some 4 KB.
    expect((await heapUsed()) - before).toBeLessThan(8_000_000);
  });

  it('hold nobody up when they leave by themselves', async () => {
    const ownMs = await unhindered(10_000);
    stub.resetCounts();
    const client = await occupied({ acquireTimeoutMs: 60_000, maxPending: 20_000 });
    const controllers = Array.from({ length: 10_000 }, () => new AbortController());
    const calls = controllers.map(({ signal }) =>
      client
        .with({ signal })
        .getVersion()
        .catch(error => error.code),
    );
    const startedAt = performance.now();
    // From the middle outwards.
    controllers.sort(() => 0.5 - Math.random());
    for (const controller of controllers) controller.abort();
    const codes = new Set(await Promise.all(calls));

    expect(performance.now() - startedAt).toBeLessThan(5 * (1_000 + ownMs));
    expect([...codes]).toEqual(['MILVUS_ABORTED']);
    expect(client.pool.stats().pending).toBe(0);
    expect(stub.count()).toBe(1);
  });
});

describe('a call that waits for room', () => {
  it('until its own time is up says that it found none, and whose limit it was', async () => {
    const client = await occupied({ acquireTimeoutMs: 60_000 });

    const own = await failureOf<MilvusPoolExhaustedError>(
      client.describeCollection({ collection_name: 'c', timeout: 120 }),
    );
    expect(own).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(own.message).toMatch(/it waited for its 1[012]\d ms/);
    expect(own.snapshot).toMatchObject({ size: 1, inFlight: 1 });

    const scoped = await failureOf<MilvusPoolExhaustedError>(client.with({ timeoutMs: 130 }).getVersion());
    expect(scoped).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(scoped.message).toMatch(/it waited for its 1[0123]\d ms/);
    expect(stub.count()).toBe(1);
  });

  it('gives its turn to the next when it is cancelled', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 1, maxStreamsPerConnection: 1, acquireTimeoutMs: 60_000 },
      timeouts: { readMs: 60_000 },
    });
    await connected(client);
    const order: string[] = [];
    stub.on('GetLoadState', (request, call) => {
      order.push(String(request['collection_name']));
      return call.defaultAnswer();
    });
    const first = client.getVersion();
    await stub.waitFor(s => s.count() === 1);
    const controllers = times(20, async () => new AbortController());
    const calls = await Promise.all(
      controllers.map(async (each, index) => {
        const { signal } = await each;
        return { call: quietly(client.with({ signal }).getLoadState({ collection_name: `${index}` })) };
      }),
    );
    await eventually(() => client.pool.stats().pending === 20);
    for (const [index, controller] of controllers.entries()) if (index % 3 === 0) (await controller).abort();
    expect(client.pool.stats().pending).toBe(13);
    open();
    await first;
    await Promise.allSettled(calls.map(({ call }) => call));

    expect(order).toEqual(
      Array.from({ length: 20 }, (_, i) => i)
        .filter(i => i % 3 !== 0)
        .map(String),
    );
  });
});

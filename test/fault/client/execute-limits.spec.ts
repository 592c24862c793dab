import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusRetriesExhaustedError, type PooledMilvusClient } from '../../../lib/index.js';
import {
  closeClients,
  connected,
  durationOf,
  failureOf,
  pause,
  pooledClient,
  quietly,
  SOON_MS,
} from '../../support/pooled-client.js';
import { answer, failure, StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { name: 'search', retry: { initialDelayMs: 5 } });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const unavailable = status(14, 'no coordinator');
const idempotent = { idempotent: true };
const sends = () => client.pool.stats().sends;

/** A read, then a write that is not sent again by itself. */
async function readAndInsert(same: PooledMilvusClient): Promise<string> {
  await same.getVersion();
  await same.insert(rows);
  return 'done';
}

describe('the runs of execute({ idempotent: true })', () => {
  it('runs it once where nothing is repeated, and throws its error', async () => {
    stub.always('GetVersion', unavailable);
    for (const retry of [false, { maxAttempts: 1 }] as const) {
      stub.resetCounts();
      const once = client.with({ retry }).execute(readAndInsert, idempotent);
      expect(await failureOf(once)).toMatchObject({ code: 'MILVUS_UNAVAILABLE', method: 'getVersion' });
      expect(stub.count()).toBe(1);
    }
    expect(sends().reruns).toBe(0);
  });

  it('takes its runs from the budget of retries', async () => {
    client = pooledClient(stub.address, { name: 'search', retryBudget: { ratio: 0, minPerSecond: 0 } });
    stub.always('GetVersion', unavailable);

    expect(await failureOf(client.execute(readAndInsert, idempotent))).toMatchObject({
      code: 'MILVUS_UNAVAILABLE',
      method: 'getVersion',
    });
    expect(stub.count()).toBe(1);
    expect(sends()).toMatchObject({ reruns: 0, budgetRefusals: 1 });
  });

  it('says that the budget is used up when that ends its runs', async () => {
    // A tenth of a retry per second: one within the ten seconds that are looked at.
    client = pooledClient(stub.address, { name: 'search', retryBudget: { ratio: 0, minPerSecond: 0.1 } });
    stub.always('GetVersion', unavailable);
    const error = await failureOf(client.execute(readAndInsert, idempotent));

    expect(error).toBeInstanceOf(MilvusRetriesExhaustedError);
    expect(error.message).toContain('execute failed 2 times; the retry budget is used up (retryBudget)');
    expect(sends()).toMatchObject({ reruns: 1, budgetRefusals: 1 });
  });

  it('counts what a rerun sends as retries, so that many calls in one function do not escape the budget', async () => {
    client = pooledClient(stub.address, { name: 'search', retryBudget: { ratio: 0, minPerSecond: 0.4 } });
    stub.always('GetVersion', unavailable);
    const execute = client.execute(async same => {
      for (let call = 0; call < 4; call++) await same.getLoadState({ collection_name: 'c' });
      await same.getVersion();
    }, idempotent);

    expect(await failureOf<MilvusRetriesExhaustedError>(execute)).toHaveProperty('attempts', 2);
    expect([stub.count('GetLoadState'), stub.count('GetVersion')]).toEqual([8, 2]);
    expect(sends()).toMatchObject({ reruns: 1, budgetRefusals: 1 });
  });

  it.each<[string, object]>([
    ['', {}],
    [', however few attempts there may be', { retry: { maxAttempts: 1 } }],
    [', whatever the budget says', { retryBudget: { ratio: 0, minPerSecond: 0 } }],
  ])('waits for the rate limit with the call that meets it, and runs once%s', async (_what, options) => {
    client = pooledClient(stub.address, { name: 'search', ...options });
    stub.next('Insert', answer({ status: failure(8, 'RateLimit') }));
    let runs = 0;
    const execute = client.execute(same => {
      runs++;
      return readAndInsert(same);
    }, idempotent);

    expect(await execute).toBe('done');
    expect(runs).toBe(1);
    const [first, second] = stub.calls('Insert').map(({ atMs }) => atMs);
    expect(second! - first!).toBeGreaterThan(245);
    expect(sends()).toMatchObject({ retries: 1, reruns: 0, budgetRefusals: 0 });
  });

  it.each<[string, (same: PooledMilvusClient) => Promise<unknown>, { timeoutMs?: number }]>([
    ['its deadline', same => same.getVersion(), { timeoutMs: 200 }],
    ['that of a call', same => same.with({ timeoutMs: 200 }).getVersion(), {}],
  ])(
    'does not wait for the rate limit beyond %s, and does not run again for it',
    async (_whose, run, options) => {
      await client.isAvailable({ timeoutMs: 10_000 });
      stub.always('GetVersion', answer({ status: failure(8, 'RateLimit') }));
      const execute = quietly(client.execute(run, { ...idempotent, ...options }));

      expect(await failureOf(execute)).toMatchObject({ code: 'MILVUS_RATE_LIMIT', method: 'getVersion' });
      expect(stub.count('GetVersion')).toBe(1);
      expect(sends().reruns).toBe(0);
    },
  );

  it('leaves it to the single calls where a refusal is no error', async () => {
    stub
      .next('GetLoadState', answer({ status: failure(1, 'NotReadyServe') }))
      .next('GetVersion', unavailable)
      .next('Insert', unavailable);
    const statuses = client.with({ errors: 'status' });
    const state = await statuses.execute(async same => {
      await same.getVersion();
      await same.insert(rows);
      return same.getLoadState({ collection_name: 'c' });
    }, idempotent);

    expect(state).toMatchObject({ state: 'LoadStateLoaded' });
    expect(sends()).toMatchObject({ retries: 3, reruns: 0 });
  });
});

describe('a pause between two runs', () => {
  beforeEach(async () => {
    const retry = { initialDelayMs: 60_000, maxDelayMs: 60_000, jitter: 'none' as const };
    client = pooledClient(stub.address, { name: 'search', retry });
    await connected(client);
    stub.always('GetVersion', unavailable);
  });

  it('is not begun when it passes the deadline', async () => {
    const execute = quietly(client.execute(readAndInsert, { ...idempotent, timeoutMs: 50_000 }));

    expect(await durationOf(execute)).toBeLessThan(SOON_MS);
    expect(await failureOf(execute)).toMatchObject({ code: 'MILVUS_UNAVAILABLE', method: 'getVersion' });
  });

  it('ends with the signal', async () => {
    const controller = new AbortController();
    const execute = quietly(client.execute(readAndInsert, { ...idempotent, signal: controller.signal }));
    await pausing();
    controller.abort();

    expect(await failureOf(execute)).toMatchObject({ code: 'MILVUS_ABORTED', method: 'execute' });
    expect(stub.count()).toBe(1);
  });

  it('is not followed by a run when it ended with the signal', async () => {
    const hasty = client.with({ retry: { initialDelayMs: 300 } });
    let runs: number;
    // Again on a machine that stalls: there the pause may be over.
    do {
      stub.resetCounts();
      runs = 0;
      const controller = new AbortController();
      const run = (same: PooledMilvusClient) => {
        runs++;
        return same.getVersion();
      };
      const execute = quietly(hasty.execute(run, { ...idempotent, signal: controller.signal }));
      await stub.waitFor(s => s.count() > 0 && s.inFlight === 0);
      await pause(20);
      controller.abort();
      await failureOf(execute);
    } while (runs > 1);
    await pause(400);

    expect(runs).toBe(1);
  });

  it('is waited for by a drain, and ends at its limit', async () => {
    const execute = quietly(client.execute(readAndInsert, idempotent));
    await pausing();

    expect(await client.drain({ timeoutMs: 50 })).toMatchObject({ clients: [{ cancelledCalls: 1 }] });
    expect(await failureOf(execute)).toMatchObject({ code: 'MILVUS_CLOSED', method: 'execute' });
  });

  /** The run has failed: nothing is under way. */
  async function pausing(): Promise<void> {
    await stub.waitFor(s => s.count() === 1 && s.inFlight === 0);
    await pause(20);
  }
});

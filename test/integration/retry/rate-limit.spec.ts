import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node';
import { MilvusRateLimitError, type PooledMilvusClient } from '../../../lib/index.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { closeClients, pooledClient } from '../../support/pooled-client.js';

const collection_name = 'limited';
const dim = 256;
/** The vector's; the rest of a request adds some 50. */
const ROW_BYTES = 4 * dim;
/** Of these rows Milvus takes at most 10 a second. */
const LIMIT_BYTES = 10 * ROW_BYTES;
const MB = 2 ** 20;
const LIMITS = {
  'quotaAndLimits.enabled': true,
  'quotaAndLimits.dml.enabled': true,
  'quotaAndLimits.dml.insertRate.max': LIMIT_BYTES / MB,
  // A request with one key is larger: after each nothing is deleted for a second.
  'quotaAndLimits.dml.deleteRate.max': 30 / MB,
  'quotaAndLimits.flushRate.enabled': true,
  'quotaAndLimits.flushRate.max': 1,
};

let milvus: MilvusStandalone;

beforeAll(async () => {
  await MilvusStandalone.install();
  milvus = await MilvusStandalone.start({ config: LIMITS });
  const client = pooledClient(milvus.address);
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
      { name: 'n', data_type: DataType.Int64 },
      { name: 'vector', data_type: DataType.FloatVector, dim },
    ],
    index_params: [{ field_name: 'vector', index_type: 'FLAT', metric_type: 'L2' }],
  });
  await client.loadCollection({ collection_name });
  await closeClients();
}, 300_000);

afterEach(closeClients);

afterAll(() => milvus?.stop());

let rows = 0;

/** Rows that nobody has inserted yet, by number. */
function newRows(count: number): number[] {
  return Array.from({ length: count }, () => rows++);
}

function insert(client: PooledMilvusClient, numbers: number[]) {
  const data = numbers.map(n => ({ n, vector: new Array<number>(dim).fill(n) }));
  return client.insert({ collection_name, data });
}

/** Those of the rows that Milvus has, as often as it has them. */
async function stored(numbers: number[]): Promise<number[]> {
  const { data } = await pooledClient(milvus.address).query({
    collection_name,
    filter: `n in [${numbers}]`,
    output_fields: ['n'],
    consistency_level: ConsistencyLevelEnum.Strong,
  });
  return data.map(({ n }) => Number(n)).sort((a, b) => a - b);
}

const OVERDRAWN_S = 2;

/**
 * Milvus keeps an account, of at most one second's worth, and takes a request of any size as long as that is not below zero. This
 * one leaves it so far below that everything is refused for the next two seconds.
 */
async function overdraw(client: PooledMilvusClient): Promise<void> {
  await insert(client, newRows(((1 + OVERDRAWN_S) * LIMIT_BYTES) / ROW_BYTES));
}

/** What became of an insert, and after how long. */
async function outcomeOf(client: PooledMilvusClient, n: number) {
  const startedAt = performance.now();
  const error: unknown = await insert(client, [n]).then(
    () => undefined,
    reason => reason,
  );
  return { n, error, tookMs: performance.now() - startedAt };
}

const rateLimited = expect.objectContaining({
  constructor: MilvusRateLimitError,
  errorCode: 8,
  errorName: 'RateLimit',
  reason: expect.stringContaining('rate limit exceeded'),
});

describe('inserts beyond the rate limit of a real Milvus', () => {
  it('are spread out: none fails, and each row is there once', async () => {
    const client = pooledClient(milvus.address, { retry: { maxAttempts: 2 } });
    const startedAt = performance.now();
    await overdraw(client);
    const before = client.pool.stats().sends;
    const burst = newRows(30);

    const outcomes = await Promise.all(burst.map(n => outcomeOf(client, n)));

    const tookMs = performance.now() - startedAt;
    expect(outcomes.flatMap(({ error }) => error ?? [])).toEqual([]);
    expect(await stored(burst)).toEqual(burst);
    expect(tookMs).toBeGreaterThan(1_000 * (OVERDRAWN_S + (29 * ROW_BYTES) / LIMIT_BYTES));
    const { rpcs, attempts, retries, ...others } = client.pool.stats().sends;
    expect(rpcs - before.rpcs).toBe(burst.length);
    expect(attempts - rpcs).toBe(retries);
    expect(retries - before.retries).toBeGreaterThanOrEqual(burst.length);
    expect(others).toEqual({ reruns: 0, budgetRefusals: 0, unknownOutcomes: 0 });
  });

  it('say so when the deadline allows no further try, and only theirs are missing', async () => {
    const client = pooledClient(milvus.address);
    await overdraw(client);
    const timeoutMs = 3_500;
    const burst = newRows(80);

    const outcomes = await Promise.all(burst.map(n => outcomeOf(client.with({ timeoutMs }), n)));

    const failed = outcomes.filter(({ error }) => error);
    for (const { error } of failed) expect(error).toEqual(rateLimited);
    // 1.5 s of it are left for some 15 of them.
    expect(failed.length).toBeGreaterThan(burst.length / 2);
    expect(failed.length).toBeLessThan(burst.length);
    expect(Math.max(...failed.map(({ tookMs }) => tookMs))).toBeLessThan(timeoutMs + 1_000);
    const succeeded = outcomes.filter(({ error }) => !error).map(({ n }) => n);
    expect(await stored(burst)).toEqual(succeeded);
    expect(client.pool.stats().sends.unknownOutcomes).toBe(0);
  });

  it('fail at once with `retry: false`', async () => {
    const client = pooledClient(milvus.address);
    await overdraw(client);
    const { retries } = client.pool.stats().sends;
    const burst = newRows(5);

    const outcomes = await Promise.all(burst.map(n => outcomeOf(client.with({ retry: false }), n)));

    for (const { error } of outcomes) expect(error).toEqual(rateLimited);
    expect(await stored(burst)).toEqual([]);
    expect(client.pool.stats().sends.retries).toBe(retries);
  });
});

describe('other calls beyond the rate limits of a real Milvus', () => {
  it('deletes by key, each as soon as it may', async () => {
    const client = pooledClient(milvus.address);
    const numbers = newRows(3);
    const { IDs } = await insert(client, numbers);
    const ids = 'int_id' in IDs ? IDs.int_id.data.map(String) : [];
    const { retries } = client.pool.stats().sends;

    for (const id of ids) {
      expect(await client.delete({ collection_name, ids: [id] })).toMatchObject({ delete_cnt: '1' });
    }

    expect(await stored(numbers)).toEqual([]);
    expect(client.pool.stats().sends.retries).toBeGreaterThan(retries);
  });

  it('does not repeat a delete by filter, which newer servers may have begun', async () => {
    const client = pooledClient(milvus.address);
    const [n] = newRows(1) as [number];
    await insert(client, [n]);
    // Large enough that nothing is deleted for the next seconds.
    await client.delete({ collection_name, ids: Array.from({ length: 50 }, (_, id) => id) });
    const { retries } = client.pool.stats().sends;

    await expect(client.delete({ collection_name, filter: `n == ${n}` })).rejects.toEqual(rateLimited);

    expect(await stored([n])).toEqual([n]);
    expect(client.pool.stats().sends.retries).toBe(retries);
  });

  it('flushes, where the plain SDK takes the refusal for a flush', async () => {
    const client = pooledClient(milvus.address);

    const flushes = Array.from({ length: 3 }, () =>
      client.flushSync({ collection_names: [collection_name] }),
    );

    for (const { status } of await Promise.all(flushes)) {
      expect(status).toMatchObject({ error_code: 'Success' });
    }
    expect(client.pool.stats().sends.retries).toBeGreaterThan(0);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { closeClients, durationOf, failureOf, pooledClient, SOON_MS } from '../../support/pooled-client.js';
import { answer, executing, failure, StubServer, status } from '../../support/stub-server.js';
import { QUICK } from './cells.js';
import { subjects } from './subjects.js';

/** Half of the first pause is not left to chance. */
const SHORTEST_PAUSE_MS = 250;

let stub: StubServer;
let client: PooledMilvusClient;

/** As a full Milvus 2.3.5 says it: the flag lies. */
const limited = { ...failure(8, 'RateLimit', 'request is rejected by the limiter'), retriable: false };
const rateLimited = answer({ ...limited, status: limited });
const search = (on = client) =>
  on.search({ collection_name: 'c', data: [1, 2, 3, 4], metric_type: 'L2' }) as Promise<unknown>;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { retry: QUICK, retryBudget: { ratio: 0, minPerSecond: 0 } });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('what Milvus refuses for its rate limit', () => {
  // One at a time would pause one after the other.
  it('is sent again whatever it is, after a pause, and not on the budget for outages', async () => {
    const different = subjects.filter(({ column }) => column !== 'declared');
    for (const { rpc } of different) stub.always(rpc, executing()).next(rpc, rateLimited);
    await Promise.all(different.map(({ call }) => call(client)));

    for (const { rpc } of different) {
      const [first, second] = stub.calls(rpc);
      expect([rpc, stub.count(rpc), stub.executions(rpc)]).toEqual([rpc, 2, 1]);
      expect(second!.atMs - first!.atMs).toBeGreaterThan(SHORTEST_PAUSE_MS - 10);
    }
  });

  it('is not with retry: false', async () => {
    for (const { rpc } of subjects) stub.always(rpc, rateLimited);
    const derived = client.with({ retry: false });

    const errors = await Promise.all(subjects.map(({ call }) => failureOf(call(derived))));
    for (const error of errors) expect(error).toMatchObject({ name: 'MilvusRateLimitError', attempts: 1 });
    expect(errors.some(error => 'outcomeUnknown' in error)).toBe(false);
    for (const { rpc } of subjects) {
      expect(stub.count(rpc)).toBe(subjects.filter(each => each.rpc === rpc).length);
    }
  });

  it('is given up at once when the deadline would come before the next attempt', async () => {
    for (const { rpc } of subjects) stub.always(rpc, rateLimited);
    await client.describeCollection({ collection_name: 'c' });
    const derived = client.with({ timeoutMs: SHORTEST_PAUSE_MS - 20 });

    const error = await failureOf(search(derived));
    expect(error).toMatchObject({ name: 'MilvusRateLimitError', attempts: 1, errorCode: 8 });
    expect(error.message).toContain('There was no time to send it again');
    expect(stub.count('Search')).toBe(1);
  });

  it.each([1, 2])('does not count as one of %d attempts', async maxAttempts => {
    client = client.with({ retry: { maxAttempts } });
    stub.next('Search', rateLimited, maxAttempts);

    await expect(search()).resolves.toBeDefined();
    expect(stub.count('Search')).toBe(maxAttempts + 1);
  });

  it('does not count as one of the failures that follow it', async () => {
    client = pooledClient(stub.address, { retry: QUICK, retryBudget: false });
    stub.next('Search', rateLimited).next('Search', status(14), 2);

    await expect(search()).resolves.toBeDefined();
    expect(stub.count('Search')).toBe(4);
  });

  it('is sent again on and on until its deadline', async () => {
    stub.always('Search', rateLimited);
    await client.describeCollection({ collection_name: 'c' });

    const call = failureOf(search(client.with({ timeoutMs: 1_400 })));
    expect(await durationOf(call)).toBeLessThan(1_400 + SOON_MS);
    expect(await call).toMatchObject({ name: 'MilvusRateLimitError', attempts: stub.count('Search') });
    expect(stub.count('Search')).toBeGreaterThan(1);
    expect(stub.count('Search')).toBeLessThan(4);
  });

  it('that has gone on to fail otherwise fails so', async () => {
    stub.next('Search', rateLimited);
    stub.always('Search', status(14));

    // The budget has nothing for an outage.
    expect(await failureOf(search())).toMatchObject({ name: 'MilvusUnavailableError', attempts: 2 });
  });
});

describe('a delete by filter, of which a part may be done', () => {
  const remove = (on: PooledMilvusClient) => on.delete({ collection_name: 'c', filter: 'id > 0' });

  it('is not sent again for a rate limit', async () => {
    stub.always('Delete', rateLimited);

    expect(await failureOf(remove(client))).toMatchObject({
      name: 'MilvusRateLimitError',
      attempts: 1,
      outcomeUnknown: true,
    });
    expect(stub.count('Delete')).toBe(1);
  });

  it('is when its caller knows that it may', async () => {
    stub.next('Delete', rateLimited);

    await remove(client.with({ idempotent: true }));
    expect(stub.count('Delete')).toBe(2);
  });
});

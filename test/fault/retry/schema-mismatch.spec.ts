import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { answer, executing, failure, StubServer } from '../../support/stub-server.js';
import { QUICK } from './cells.js';
import { subjects } from './subjects.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const mismatch = answer({ status: failure(109, 'SchemaMismatch') });
const insert = (name: string, client: PooledMilvusClient) =>
  subjects.find(each => each.name === name)!.call(client);

// The SDK itself sends such a one again, on the description that it has asked for.
describe.each([
  ['Insert', 'insert'],
  ['Insert', 'insert, idempotent'],
  ['Upsert', 'upsert'],
])('%s on a schema that has changed (%s)', (rpc, name) => {
  it.each([QUICK, false as const])('is sent again once, on the new one: retry %j', async retry => {
    const client = pooledClient(stub.address, { retry, retryBudget: false });
    stub.always(rpc, executing()).next(rpc, mismatch);
    await insert(name, client);
    expect([stub.count(rpc), stub.executions(rpc)]).toEqual([2, 1]);
    expect(stub.count('DescribeCollection')).toBe(2);

    stub.resetCounts();
    stub.always(rpc, mismatch);
    expect(await failureOf(insert(name, client))).toMatchObject({ errorCode: 109 });
    expect(stub.count(rpc)).toBe(2);
    expect(client.pool.stats().sends.retries).toBe(0);
  });
});

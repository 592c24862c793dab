import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { DataType } from '@zilliz/milvus2-sdk-node';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { answer, failure, rst, StubServer, status, success } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address);
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const partition = { collection_name: 'c', partition_name: 'p' };

describe.each<[string, string, (of: PooledMilvusClient) => Promise<{ value: unknown; status: object }>]>([
  ['hasCollection', 'DescribeCollection', of => of.hasCollection({ collection_name: 'c' })],
  ['hasPartition', 'HasPartition', of => of.hasPartition(partition)],
])('%s', (method, rpc, ask) => {
  it.each([
    ['a code', failure(100, 'UnexpectedError', 'no c')],
    ['a code alone', failure(100, 'Success')],
    ['a name alone', failure(0, 'CollectionNotExists')],
    ['the code of a partition', failure(200, 'UnexpectedError')],
  ])('is false for "not found", told by %s', async (_how, refusal) => {
    stub.always(rpc, answer({ status: refusal }));

    await expect(ask(client)).resolves.toMatchObject({
      value: false,
      status: { error_code: 'Success', code: 0 },
    });
  });

  it.each([
    ['the rate limit', failure(8, 'RateLimit'), { code: 'MILVUS_RATE_LIMIT', errorCode: 8 }],
    [
      'no permission',
      failure(65535, 'PermissionDenied', 'permission deny'),
      { errorCode: 65535, errorName: 'PermissionDenied' },
    ],
    ['no such database', failure(800, 'UnexpectedError', 'database not found'), { errorCode: 800 }],
  ])('is an error for %s', async (_what, refusal, expected) => {
    stub.always(rpc, answer({ status: refusal }));

    expect(await failureOf(ask(client.with({ retry: false })))).toMatchObject({
      client: 'default',
      method,
      ...expected,
    });
  });

  it('is an error when the connection breaks time and again', async () => {
    stub.always(rpc, rst(2));

    expect(await failureOf(ask(client))).toMatchObject({ code: 'MILVUS_UNAVAILABLE', method, attempts: 3 });
  });
});

describe('createCollection', () => {
  // The SDK's types want a metric here too.
  const simple = { collection_name: 'c', dimension: 4, index_params: { index_type: 'AUTOINDEX' } } as never;
  const steps = () => stub.received.map(each => each.rpc);

  it('takes what is not there for a reason to make it', async () => {
    stub.next('DescribeCollection', answer({ status: failure(100, 'CollectionNotExists') }));
    stub.on('GetLoadingProgress', () => ({ status: success, progress: 100 }));
    await client.createCollection(simple);

    expect(steps()).toEqual([
      'DescribeCollection',
      'CreateCollection',
      'CreateIndex',
      'LoadCollection',
      'GetLoadingProgress',
    ]);
  });

  it('takes a collection without an index as the plain SDK does', async () => {
    stub.next('DescribeIndex', answer({ status: failure(700, 'IndexNotExist') }));
    await client.createCollection(simple);

    expect(steps()).toContain('CreateIndex');
    expect(steps()).not.toContain('CreateCollection');
  });

  it('goes no further when it cannot know whether there is one', async () => {
    stub.next('DescribeCollection', answer({ status: failure(8, 'RateLimit') }));

    expect(await failureOf(client.with({ retry: false }).createCollection(simple))).toMatchObject({
      code: 'MILVUS_RATE_LIMIT',
      method: 'createCollection',
      message: expect.stringContaining('DescribeCollection: Milvus answered RateLimit'),
    });
    expect(steps()).toEqual(['DescribeCollection']);
  });

  it('says why when one of its steps is refused', async () => {
    stub.always('CreateIndex', answer(failure(1100, 'IllegalArgument', 'bad metric')));

    const error = await failureOf(
      client.createCollection({
        collection_name: 'c',
        fields: [
          { name: 'id', data_type: DataType.Int64, is_primary_key: true },
          { name: 'v', data_type: DataType.FloatVector, dim: 4 },
        ],
        index_params: [{ field_name: 'v', index_type: 'FLAT', metric_type: 'x' }],
      }),
    );
    expect(error).toMatchObject({ errorCode: 1100, errorName: 'IllegalArgument', reason: 'bad metric' });
  });
});

describe('a method that asks again and again', () => {
  it.each<[string, string, (of: PooledMilvusClient) => Promise<unknown>]>([
    ['flushSync', 'GetFlushState', of => of.flushSync({ collection_names: ['c'] })],
    ['flushSync', 'Flush', of => of.flushSync({ collection_names: ['c'] })],
    ['loadCollection', 'GetLoadingProgress', of => of.loadCollection({ collection_name: 'c' })],
    ['flushAllSync', 'GetFlushAllState', of => of.flushAllSync({})],
  ])('fails at the first refusal, where the SDK may ask for ever: %s, %s', async (method, rpc, ask) => {
    const refusal = failure(65535, 'UnexpectedError', 'no');
    stub.on('FlushAll', () => ({ status: success, flush_all_ts: '1' }));
    stub.always(rpc, answer({ ...refusal, status: refusal }));

    expect(await failureOf(ask(client))).toMatchObject({ code: 'MILVUS_SERVER', errorCode: 65535, method });
    expect(stub.count(rpc)).toBe(1);
  });
});

describe('a refusal of one of many', () => {
  it('is an error where the SDK goes on with the rest: dropAllRoles', async () => {
    stub.on('SelectRole', () => ({
      status: success,
      results: [{ role: { name: 'a' } }, { role: { name: 'b' } }],
    }));
    stub.on('SelectGrant', () => ({ status: success, entities: [] }));
    stub.next('DropRole', answer(failure(65535, 'UnexpectedError', 'role is in use')));

    expect(await failureOf(client.dropAllRoles())).toMatchObject({
      code: 'MILVUS_SERVER',
      method: 'dropAllRoles',
      reason: 'role is in use',
    });
    expect(stub.count('DropRole')).toBe(2);
  });

  it("is none where Milvus's own roles cannot be dropped: dropAllRoles", async () => {
    stub.on('SelectRole', () => ({ status: success, results: [{ role: { name: 'admin' } }] }));
    stub.on('SelectGrant', () => ({ status: success, entities: [] }));
    const reason = "the role[admin] is a default role, which can't be dropped";
    stub.always('DropRole', answer(failure(65535, 'UnexpectedError', reason)));

    await expect(client.dropAllRoles()).resolves.toMatchObject([{ reason }]);
  });

  it('is an error in a batch: batchDescribeCollections', async () => {
    stub.on('BatchDescribeCollection', () => ({
      status: success,
      responses: [
        { status: success, schema: { fields: [] } },
        { status: failure(100, 'CollectionNotExists', 'no d'), schema: { fields: [] } },
      ],
    }));

    expect(await failureOf(client.batchDescribeCollections({ collection_names: ['c', 'd'] }))).toMatchObject({
      errorCode: 100,
      reason: 'no d',
    });
  });
});

describe("the SDK's way around an old server", () => {
  const field = { name: 'n', data_type: DataType.Int64, nullable: true };

  it.each<[string, () => void]>([
    ['that does not know the RPC', () => stub.always('AlterCollectionSchema', status(12, 'unknown method'))],
    [
      'that refuses it for external collections',
      () =>
        stub.always(
          'AlterCollectionSchema',
          answer({
            alter_status: failure(
              1100,
              'UnexpectedError',
              'alter collection schema operation is not supported for external collection',
            ),
          }),
        ),
    ],
  ])('is taken, and is no error: %s', async (_what, behave) => {
    behave();
    await client.addCollectionField({ collection_name: 'c', field });

    expect(stub.received.map(({ rpc }) => rpc)).toEqual(['AlterCollectionSchema', 'AddCollectionField']);
  });
});

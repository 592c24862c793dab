import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { closeClients, failureOf, gate, pooledClient, quietly, times } from '../../support/pooled-client.js';
import {
  answer,
  failure,
  status as grpcStatus,
  hang,
  type Message,
  rst,
  StubServer,
  success,
  until,
} from '../../support/stub-server.js';

const INTERNAL_ERROR = 2;

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

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const search = (of = client, data = [1, 2, 3, 4]) => of.search({ collection_name: 'c', data });
const sent = () => stub.received.map(({ rpc }) => rpc);

/** A collection with another id, and with one more field. */
function recreated(): Message {
  return {
    status: success,
    collectionID: 2,
    schema: {
      name: 'c',
      fields: [
        { fieldID: 100, name: 'id', is_primary_key: true, data_type: 'Int64' },
        {
          fieldID: 101,
          name: 'title',
          data_type: 'VarChar',
          type_params: [{ key: 'max_length', value: '9' }],
        },
        {
          fieldID: 102,
          name: 'embedding',
          data_type: 'FloatVector',
          type_params: [{ key: 'dim', value: '4' }],
        },
      ],
    },
  };
}

/** The stub's collection after a field was added that may be empty. */
function withTitle(_request: Message, call: { defaultAnswer(): Message }): Message {
  const description = call.defaultAnswer();
  const schema = description['schema'] as { fields: Message[] };
  const title = { fieldID: 102, name: 'title', data_type: 'VarChar', nullable: true };
  return { ...description, schema: { ...schema, fields: [...schema.fields, title] } };
}

describe('callers that need the same description at the same time', () => {
  it('share one question', async () => {
    const { opened, open } = gate();
    stub.next('DescribeCollection', until(opened));
    const calls = [...times(60, () => search()), ...times(40, () => client.insert(rows))];
    await stub.waitFor(s => s.count() === 1);
    open();
    await Promise.all(calls);

    expect(stub.count('DescribeCollection')).toBe(1);
    expect([stub.count('Search'), stub.count('Insert')]).toEqual([60, 40]);
    await search();
    expect(stub.count('DescribeCollection')).toBe(1);
  });

  it('do not share it across databases and collections', async () => {
    const other = { collection_name: 'd', data: [1, 2, 3, 4] };
    await Promise.all([
      search(),
      search(client.with({ database: 'db2' })),
      client.search({ ...other, collection_name: 'c', db_name: 'db3' }),
      client.search(other),
    ]);

    expect(stub.count('DescribeCollection')).toBe(4);
  });

  it('do not fail because the one that asked gave up', async () => {
    const { opened, open } = gate();
    stub.next('DescribeCollection', hang()).next('DescribeCollection', until(opened));
    const controller = new AbortController();
    const first = quietly(search(client.with({ signal: controller.signal })));
    const others = times(10, () => search());
    await stub.waitFor(s => s.count() === 1);
    controller.abort();
    expect(await failureOf(first)).toMatchObject({ code: 'MILVUS_ABORTED' });
    await stub.waitFor(s => s.count() === 2);
    open();
    await Promise.all(others);

    expect(stub.count('DescribeCollection')).toBe(2);
  });

  it('do not fail because its deadline passed', async () => {
    await client.ping({ timeoutMs: 10_000 });
    stub.next('DescribeCollection', hang());
    const first = quietly(search(client.with({ timeoutMs: 100 })));
    const others = times(10, () => search());

    expect(await failureOf(first)).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED' });
    await Promise.all(others);
    expect(stub.count('DescribeCollection')).toBe(2);
  });

  it('do not ask one by one when Milvus hangs and the time of all is up', async () => {
    await client.ping({ timeoutMs: 10_000 });
    stub.always('DescribeCollection', hang());
    const calls = times(30, () => search(client.with({ timeoutMs: 400 })));
    for (const call of calls)
      expect(await failureOf(call)).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED' });

    expect(stub.count('DescribeCollection')).toBeLessThan(5);
  });

  it('do not share what the other error mode makes of it', async () => {
    const { opened, open } = gate();
    stub.always('DescribeCollection', until(opened, grpcStatus(12, 'unknown method')));
    const statuses = quietly(search(client.with({ errors: 'status' })));
    const errors = quietly(search());
    await stub.waitFor(s => s.count() === 2);
    open();

    await failureOf(statuses);
    expect(await failureOf(errors)).toMatchObject({ code: 'MILVUS_SERVER', grpcCode: 12 });
  });

  it('share the question that is asked again when the connection breaks', async () => {
    stub.next('DescribeCollection', rst(INTERNAL_ERROR));
    await Promise.all(times(10, () => search()));

    expect(sent()).toEqual(['DescribeCollection', 'DescribeCollection', ...Array(10).fill('Search')]);
  });

  it('fail together when the connection does, and leave nothing behind', async () => {
    stub.next('DescribeCollection', rst(INTERNAL_ERROR));
    const unretried = client.with({ retry: false });
    const calls = times(10, () => search(unretried));
    for (const call of calls) expect(await failureOf(call)).toMatchObject({ code: 'MILVUS_UNAVAILABLE' });
    expect(stub.count()).toBe(1);

    await search();
    expect(sent().slice(1)).toEqual(['DescribeCollection', 'Search']);
  });

  it('all learn that there is no such collection, each by its own error', async () => {
    stub.always('DescribeCollection', answer({ status: failure(100, 'CollectionNotExists', 'no c') }));
    const calls = [...times(5, () => search()), ...times(5, () => client.insert(rows))];

    const errors = await Promise.all(calls.map(call => failureOf(call)));
    expect(new Set(errors).size).toBe(10);
    for (const error of errors) expect(error).toMatchObject({ code: 'MILVUS_SERVER', errorCode: 100 });
    expect(errors.map(error => error['method'])).toEqual([
      ...Array(5).fill('search'),
      ...Array(5).fill('insert'),
    ]);
    expect(sent()).toEqual(['DescribeCollection']);
  });

  it('ask again when the collection was changed while the question was on its way', async () => {
    const { opened, open } = gate();
    stub.next('DescribeCollection', until(opened));
    const first = search();
    await stub.waitFor(s => s.count() === 1);
    await client.dropCollection({ collection_name: 'c' });
    open();
    await first;
    await search();

    expect(stub.count('DescribeCollection')).toBe(2);
  });
});

describe('a description that was asked for before the collection changed', () => {
  it('is not kept, however it was asked for', async () => {
    const { opened, open } = gate();
    stub.next('DescribeCollection', until(opened));
    const asked = client.describeCollection({ collection_name: 'c' });
    await stub.waitFor(s => s.count() === 1);
    await client.dropCollection({ collection_name: 'c' });
    open();
    await asked;
    stub.resetCounts();
    await search();

    expect(sent()).toEqual(['DescribeCollection', 'Search']);
  });
});

describe('a schema that changed', () => {
  beforeEach(async () => {
    await search();
    stub.resetCounts();
  });

  const newRow = { id: 1, title: 't', embedding: [1, 2, 3, 4] };

  it('is read again once for a row that fits the new one, and not the old', async () => {
    stub.on('DescribeCollection', recreated);
    await client.insert({ collection_name: 'c', data: [newRow] });

    expect(sent()).toEqual(['DescribeCollection', 'Insert']);
  });

  it.each([
    ['by its name', failure(109, 'SchemaMismatch')],
    ['by its code alone', failure(109, 'UnexpectedError')],
  ])('is read again once for a write that Milvus refused for it, told %s', async (_what, status) => {
    stub.next('Insert', answer({ status })).on('DescribeCollection', withTitle);
    await client.insert(rows);

    expect(sent()).toEqual(['Insert', 'DescribeCollection', 'Insert']);
    expect(JSON.stringify(stub.calls('Insert')[1]?.request)).toContain('"title"');
  });

  it('is read again once, not for ever', async () => {
    stub.always('Insert', answer({ status: failure(109, 'SchemaMismatch') }));

    expect(await failureOf(client.insert(rows))).toMatchObject({ code: 'MILVUS_SERVER', errorCode: 109 });
    expect(sent()).toEqual(['Insert', 'DescribeCollection', 'Insert']);
  });

  it('is read again once for a search on a collection that was made anew', async () => {
    stub
      .next('Search', answer({ status: failure(1100, 'UnexpectedError', 'no field vector') }))
      .on('DescribeCollection', recreated);

    await expect(search()).resolves.toMatchObject({ status: { error_code: 'Success' } });
    expect(sent()).toEqual(['Search', 'DescribeCollection', 'Search']);
    const [before, after] = stub.calls('Search').map(({ request }) => JSON.stringify(request));
    expect(before).toContain('"vector"');
    expect(after).toContain('"embedding"');
  });

  it('is not searched again when it is the same', async () => {
    stub.always('Search', answer({ status: failure(1100, 'UnexpectedError', 'bad filter') }));

    expect(await failureOf(search())).toMatchObject({ errorCode: 1100, reason: 'bad filter' });
    expect(sent()).toEqual(['Search', 'DescribeCollection']);
  });

  it('is not read again for a search that met no refusal of the kind', async () => {
    stub.next('Search', rst(INTERNAL_ERROR), 2);
    expect(await failureOf(search(client.with({ retry: false })))).toMatchObject({
      code: 'MILVUS_UNAVAILABLE',
    });
    await search();

    expect(sent()).toEqual(['Search', 'Search', 'Search']);
  });

  it('does not have a write sent again that was refused for another reason', async () => {
    stub
      .always('Insert', answer({ status: failure(1100, 'UnexpectedError', 'no') }))
      .on('DescribeCollection', recreated);

    expect(await failureOf(client.insert(rows))).toMatchObject({ errorCode: 1100 });
    expect(stub.count('Insert')).toBe(1);
    // Milvus 2.3 tells a changed schema so: the next write is made for the new one.
    stub.behave();
    stub.resetCounts();
    await client.insert(rows);
    expect(sent()).toEqual(['DescribeCollection', 'Insert']);
  });

  it('has the first reason told when reading it again fails', async () => {
    stub
      .always('Search', answer({ status: failure(1100, 'UnexpectedError', 'bad filter') }))
      .always('DescribeCollection', answer({ status: failure(100, 'CollectionNotExists') }));

    expect(await failureOf(search())).toMatchObject({ errorCode: 1100, reason: 'bad filter' });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['dropCollection', () => client.dropCollection({ collection_name: 'd' })],
    ['createPartition', () => client.createPartition({ collection_name: 'd', partition_name: 'p' })],
    ['dropDatabase', () => client.dropDatabase({ db_name: 'another' })],
  ])('of one collection is kept after %s of another', async (_name, change) => {
    await change();
    stub.resetCounts();
    await search();

    expect(sent()).toEqual(['Search']);
  });

  it.each([
    ['the rate limit', failure(8, 'RateLimit')],
    ['a service that is not ready', failure(1, 'NotReadyServe')],
    ['a missing permission', failure(1401, 'UnexpectedError')],
  ])('is not looked for when Milvus tells %s', async (_what, status) => {
    stub.always('Search', answer({ status })).always('Insert', answer({ status }));
    const unretried = client.with({ retry: false });
    await Promise.all([
      ...times(5, () => failureOf(search(unretried))),
      ...times(5, () => failureOf(unretried.insert(rows))),
    ]);

    expect(stub.count('DescribeCollection')).toBe(0);
  });

  it('is looked for once by many that fail at the same time, and not again for those that fail next', async () => {
    stub.always('Search', answer({ status: failure(1100, 'UnexpectedError', 'bad filter') }));
    await Promise.all(times(50, () => failureOf(search())));
    await failureOf(search());

    expect(stub.count('DescribeCollection')).toBe(1);
  });

  it('does not keep a refusal waiting that is known', async () => {
    stub.always('Search', answer({ status: failure(1100, 'UnexpectedError', 'bad filter') }));
    stub.always('DescribeCollection', hang());
    const refused = search(client.with({ timeoutMs: 1_000 }));

    expect(await failureOf(refused)).toMatchObject({ errorCode: 1100 });
  });

  it.each<[string, () => Promise<unknown>]>([
    ['dropCollection', () => client.dropCollection({ collection_name: 'c' })],
    ['renameCollection', () => client.renameCollection({ collection_name: 'c', new_collection_name: 'd' })],
    [
      'alterCollectionProperties',
      () => client.alterCollectionProperties({ collection_name: 'c', properties: {} }),
    ],
    [
      'dropCollection in its database',
      () => client.dropCollection({ collection_name: 'c', db_name: 'default' }),
    ],
  ])('is read anew after %s', async (_name, change) => {
    await change();
    stub.resetCounts();
    await search();

    expect(sent()).toEqual(['DescribeCollection', 'Search']);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { closeClients, gate, pooledClient } from '../../support/pooled-client.js';
import { type Message, StubServer, success, until } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { timeouts: { readMs: 2_000 } });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const queryAnswer = (name: string, values: number[]): Message => ({
  status: success,
  fields_data: [{ field_name: name, type: 'Int64', scalars: { long_data: { data: values } } }],
  output_fields: [name],
});

/** Plays a collection of four rows, two per page. */
function fourRows(request: Message): Message {
  if ((request['output_fields'] as string[]).includes('count(*)')) return queryAnswer('count(*)', [4]);
  return queryAnswer('id', /> ?'?2'?$/.test(String(request['expr'])) ? [3, 4] : [1, 2]);
}

describe('an iterator', () => {
  it('asks page by page, each a call of its own', async () => {
    stub.on('Query', fourRows);
    const iterator = await client.queryIterator({
      collection_name: 'c',
      batchSize: 2,
      filter: '',
      output_fields: ['id'],
    });

    const ids: unknown[] = [];
    for await (const page of iterator) ids.push(...page.map(({ id }: { id: string }) => id));

    expect(ids).toEqual(['1', '2', '3', '4']);
    expect(stub.count('Query')).toBe(3);
  });

  it('may be read more slowly than one call may take', async () => {
    client = pooledClient(stub.address, { timeouts: { readMs: 400 } });
    await client.ping({ timeoutMs: 10_000 });
    stub.on('Query', fourRows);
    const iterator = await client.queryIterator({ collection_name: 'c', batchSize: 2, filter: '' });

    const pages: unknown[] = [];
    for await (const page of iterator) {
      pages.push(page);
      await new Promise(resolve => setTimeout(resolve, 300));
    }

    expect(pages).toHaveLength(2);
  });

  it('fails when a page does', async () => {
    stub.on('Query', fourRows);
    const iterator = await client.queryIterator({ collection_name: 'c', batchSize: 2, filter: '' });
    const pages = iterator[Symbol.asyncIterator]();
    await pages.next();
    await client.drain();

    await expect(pages.next()).rejects.toMatchObject({ code: 'MILVUS_CLOSED' });
  });

  it('of a search asks page by page too', async () => {
    stub.on('Query', fourRows).on('Search', (_request, call) => ({
      ...call.defaultAnswer(),
      results: {
        ...(call.defaultAnswer()['results'] as Message),
        search_iterator_v2_results: { token: 't' },
      },
    }));
    const iterator = await client.searchIterator({
      collection_name: 'c',
      data: [1, 2, 3, 4],
      batchSize: 2,
      limit: 2,
    });

    const pages: unknown[] = [];
    for await (const page of iterator) pages.push(page);

    expect(pages).toHaveLength(2);
    expect(stub.count('Search')).toBe(2);
  });
});

describe('a session', () => {
  it('searches on its cluster, call after call', async () => {
    const session = client.session('cluster-1');
    await session.search({ collection_name: 'c', data: [1, 2, 3, 4] });
    await session.query({ collection_name: 'c', filter: 'id > 0' });
    await session.hybridSearch({
      collection_name: 'c',
      data: [{ anns_field: 'vector', data: [1, 2, 3, 4] }],
      rerank: { strategy: 'rrf', params: { k: 60 } },
    } as never);

    expect(stub.count('Search')).toBe(1);
    expect(stub.count('HybridSearch')).toBe(1);
    expect(JSON.stringify(stub.calls('Search')[0]?.request)).toContain('cluster-1');
    expect(JSON.stringify(stub.calls('Query')[0]?.request)).toContain('cluster-1');
  });
});

describe('the methods of the SDK that make no call', () => {
  it('stay synchronous', () => {
    const internal = client as unknown as { getCollectionInfoCacheKey(request: object): string };

    expect(internal.getCollectionInfoCacheKey({ collection_name: 'c' })).toBe('default:c');
    expect(client.getTelemetry()).toBe(client.getTelemetry());
    expect(client.session('a')).toHaveProperty('search');
    expect(stub.connectionsEver).toBe(0);
  });
});

describe('methods that call others', () => {
  it('are one call: one deadline, and no drain in between', async () => {
    const { opened, open } = gate();
    stub.next('DescribeCollection', until(opened));
    const insert = client.insert({ collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] });
    await stub.waitFor(s => s.count('DescribeCollection') === 1);
    const drained = client.drain();
    open();

    await expect(insert).resolves.toMatchObject({ insert_cnt: '1' });
    expect(await drained).toMatchObject({ clean: true, clients: [{ finishedCalls: 1 }] });
  });
});

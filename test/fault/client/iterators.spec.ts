import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusError, type PooledMilvusClient } from '../../../lib/index.js';
import {
  closeClients,
  eventuallyResolves,
  failureOf,
  gate,
  pause,
  pooledClient,
  quietly,
} from '../../support/pooled-client.js';
import {
  answer,
  type Behaviour,
  failure,
  hang,
  type Message,
  rst,
  StubServer,
  status,
  success,
  until,
} from '../../support/stub-server.js';

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
    const [limitMs, betweenMs] = [20_000, 300];
    client = pooledClient(stub.address, { timeouts: { readMs: limitMs } });
    stub.on('Query', fourRows);
    const iterator = await client.queryIterator({ collection_name: 'c', batchSize: 2, filter: '' });
    stub.resetCounts();

    const pages: unknown[] = [];
    for await (const page of iterator) {
      pages.push(page);
      await pause(betweenMs);
    }

    expect(pages).toHaveLength(2);
    // Nothing of the time between two pages is taken from the later one's.
    const told = stub
      .calls('Query')
      .map(({ metadata }) => Number.parseInt(`${metadata['grpc-timeout']}`, 10));
    expect(told).toHaveLength(2);
    for (const ms of told) expect(ms).toBeGreaterThan(limitMs - betweenMs);
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

const search = { collection_name: 'c', data: [1, 2, 3, 4], batchSize: 2, limit: 60 };
const query = { collection_name: 'c', batchSize: 2, filter: '' };

/** A page of a search iterator: one hit, and where to go on. */
function searchPage(_request: Message, call: { defaultAnswer(): Message }): Message {
  const answer = call.defaultAnswer();
  const results = { ...(answer['results'] as Message), search_iterator_v2_results: { token: 't' } };
  return { ...answer, results };
}

type Open = (of: PooledMilvusClient) => Promise<AsyncIterable<unknown>>;

describe.each<[string, 'Search' | 'Query', 'searchIterator' | 'queryIterator', Open]>([
  ['a search', 'Search', 'searchIterator', of => of.searchIterator(search)],
  ['a query', 'Query', 'queryIterator', of => of.queryIterator(query)],
])('a page of %s that fails', (_what, rpc, method, open) => {
  const printed: unknown[] = [];
  const { error: print } = console;

  beforeEach(() => {
    stub.on('Query', fourRows).on('Search', searchPage);
    console.error = (...args) => printed.push(args);
    printed.length = 0;
  });

  afterEach(() => {
    console.error = print;
  });

  async function firstPage(of: PooledMilvusClient) {
    const pages = (await open(of))[Symbol.asyncIterator]();
    await pages.next();
    return pages;
  }

  async function secondPage(of: PooledMilvusClient, behaviour: Behaviour) {
    const pages = await eventuallyResolves(() => firstPage(of));
    stub.resetCounts();
    stub.next(rpc, behaviour);
    return { pages, error: await failureOf(pages.next() as Promise<unknown>) };
  }

  it.each<[string, Behaviour, object]>([
    ['on the wire', rst(2), { code: 'MILVUS_UNAVAILABLE' }],
    ['by a gRPC status', status(7, 'no'), { code: 'MILVUS_SERVER', grpcCode: 7 }],
    [
      "by Milvus's refusal",
      answer({ status: failure(101, 'UnexpectedError', 'not loaded') }),
      { code: 'MILVUS_SERVER', errorCode: 101 },
    ],
    ['by the rate limit', answer({ status: failure(8, 'RateLimit') }), { code: 'MILVUS_RATE_LIMIT' }],
  ])('is an error: %s', async (_how, behaviour, expected) => {
    const { pages, error } = await secondPage(client.with({ retry: false }), behaviour);

    expect(error).toBeInstanceOf(MilvusError);
    expect(error).toMatchObject({ client: 'default', method, ...expected });
    expect(printed).toEqual([]);
    expect(await pages.next()).toMatchObject({ done: true });
  });

  it('is an error in the status mode too, where there is no status to look at', async () => {
    const statuses = client.with({ errors: 'status', retry: false });

    expect((await secondPage(statuses, status(14, 'gone'))).error).toMatchObject({
      code: 14,
      details: 'gone',
    });
    const refused = answer({ status: failure(101, 'UnexpectedError', 'not loaded') });
    expect((await secondPage(statuses, refused)).error).toMatchObject({ errorCode: 101 });
  });

  it('is an error at its own deadline', async () => {
    await client.ping({ timeoutMs: 10_000 });
    const { error } = await secondPage(client.with({ timeoutMs: 150 }), hang());

    expect(error).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method });
    await stub.waitFor(s => s.cancelled.length === 1);
  });

  it('is an error when the signal aborts', async () => {
    const controller = new AbortController();
    const pages = await firstPage(client.with({ signal: controller.signal }));
    stub.resetCounts();
    stub.next(rpc, hang());
    const page = quietly(pages.next() as Promise<unknown>);
    await stub.waitFor(s => s.count(rpc) === 1);
    controller.abort();

    expect(await failureOf(page)).toMatchObject({ code: 'MILVUS_ABORTED', method });
  });

  it('is an error already when it is opened', async () => {
    stub.always('Query', answer({ status: failure(100, 'CollectionNotExists', 'no c') }));

    expect(await failureOf(open(client))).toMatchObject({ code: 'MILVUS_SERVER', errorCode: 100, method });
  });

  it('is cancelled when the iteration is ended early, and nothing is left', async () => {
    const pages = await firstPage(client);
    stub.resetCounts();
    stub.next(rpc, hang());
    const page = pages.next();
    await stub.waitFor(s => s.count(rpc) === 1);

    expect(await pages.return?.()).toEqual({ done: true, value: undefined });
    expect(await page).toMatchObject({ done: true });
    await stub.waitFor(s => s.cancelled.length === 1);
    expect(client.pool.stats().inFlight).toBe(0);
    expect(await pages.next()).toMatchObject({ done: true });
    expect(stub.count()).toBe(1);
  });

  it('is asked for after the one before, however fast the caller asks', async () => {
    const pages = (await open(client))[Symbol.asyncIterator]();
    stub.resetCounts();
    const { opened, open: letGo } = gate();
    const page = rpc === 'Search' ? searchPage : fourRows;
    stub.next(rpc, call => until(opened, answer(page(call.request, call)))(call));
    const asked = [pages.next(), pages.next()];
    await stub.waitFor(s => s.count(rpc) === 1);
    letGo();
    await Promise.all(asked);

    expect(stub.count(rpc)).toBe(2);
    expect(stub.maxInFlight).toBe(1);
  });
});

describe("the caller's own filter", () => {
  const filtered = (external_filter_fn: (row: unknown) => boolean) =>
    client.searchIterator({ ...search, external_filter_fn } as never);

  it('drops rows', async () => {
    stub.on('Query', fourRows).on('Search', searchPage);
    const pages = (await filtered(() => false))[Symbol.asyncIterator]();

    expect(await pages.next()).toEqual({ done: false, value: [] });
  });

  it('has its error thrown, the first of a page', async () => {
    stub.on('Query', fourRows).on('Search', (request, call) => {
      const page = searchPage(request, call);
      const two = {
        top_k: 2,
        topks: [2],
        scores: [0.9, 0.5],
        ids: { int_id: { data: [1, 2] } },
        fields_data: [],
      };
      return { ...page, results: { ...(page['results'] as Message), ...two } };
    });
    const oops = new Error('oops');
    let broken = true;
    const iterable = await filtered(() => {
      if (broken) throw oops;
      return true;
    });
    const pages = iterable[Symbol.asyncIterator]();

    expect(await failureOf(pages.next())).toMatchObject({ code: 'MILVUS_REQUEST', cause: oops });
    // Whoever reads on with another iterator does not meet it again.
    broken = false;
    expect(await iterable[Symbol.asyncIterator]().next()).toMatchObject({ done: false });
  });
});

describe('the pages of an iterator', () => {
  it('come from the database that it was opened in', async () => {
    stub.on('Query', fourRows);
    const mine = client.with({ database: 'mine' });
    const pages = (await mine.queryIterator(query))[Symbol.asyncIterator]();
    await pages.next();
    await mine.use({ db_name: 'other' });
    await pages.next();

    expect(new Set(stub.calls('Query').map(({ metadata }) => metadata['dbname']))).toEqual(new Set(['mine']));
  });
});

describe('a search iterator', () => {
  it('says so when the server is too old to tell where the next page begins', async () => {
    stub.on('Query', fourRows);
    const pages = (await client.searchIterator(search))[Symbol.asyncIterator]();

    const error = await failureOf(pages.next());
    expect(error).toMatchObject({ code: 'MILVUS_REQUEST', method: 'searchIterator' });
    expect(error.message).toContain('too old for search iterators');
  });

  it('ends on a page without hits', async () => {
    stub.on('Query', fourRows).always('Search', answer({ status: success, results: { scores: [] } }));
    const pages = (await client.searchIterator(search))[Symbol.asyncIterator]();

    expect(await pages.next()).toMatchObject({ done: true });
  });
});

describe('breaking out of a loop over pages', () => {
  it('asks for no more, and leaves the client as it was', async () => {
    stub.on('Query', fourRows);
    for await (const page of (await client.queryIterator(query)) as AsyncIterable<unknown[]>) {
      expect(page).toHaveLength(2);
      break;
    }
    const sent = stub.count();

    expect(await client.drain()).toMatchObject({ clean: true, clients: [{ cancelledCalls: 0 }] });
    expect(stub.count()).toBe(sent);
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

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MilvusConfigurationError,
  MilvusDeadlineExceededError,
  type MilvusExecuteOptions,
  PooledMilvusClient,
} from '../../../lib/index.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { answer, failure, rst, StubServer, status } from '../../support/stub-server.js';

// A rejection that nobody handles fails the test in which it comes: Jest sees to that.

const INTERNAL_ERROR = 2;

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { name: 'search' });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const unavailable = status(14, 'no coordinator');
const databasesOf = (rpc: string) => stub.calls(rpc).map(({ metadata }) => metadata['dbname']);

describe('execute()', () => {
  it('gives what its function gives, on a client of the same name and pool', async () => {
    const given = await client.execute(async same => {
      expect(same).toBeInstanceOf(PooledMilvusClient);
      expect([same.name, same.pool.state]).toEqual(['search', client.pool.state]);
      const { version } = await same.getVersion();
      return { version, rows: await same.insert(rows) };
    });

    expect(given).toMatchObject({ version: 'v2.6.0-stub', rows: { insert_cnt: '1' } });
    expect(await client.execute(() => 5)).toBe(5);
    expect(stub.connectionsEver).toBe(1);
    expect(client.pool.stats()).toMatchObject({ calls: 2, sends: { rpcs: 3, attempts: 3, reruns: 0 } });
  });

  it.each([
    new Error('my own'),
    new MilvusConfigurationError('mine too', { client: 'x' }),
    'a word',
    undefined,
  ])('throws what its function throws, as it is: %p', async thrown => {
    const { rejected } = await client
      .execute(async same => {
        await same.getVersion();
        throw thrown;
      })
      .then(
        () => ({ rejected: 'nothing' }),
        rejected => ({ rejected }),
      );

    expect(rejected).toBe(thrown);
    const atOnce = client.execute(() => {
      throw thrown;
    });
    expect(await atOnce.catch(error => error)).toBe(thrown);
  });

  it('throws the error of a call of it as that call does', async () => {
    stub.always('GetLoadState', answer({ status: failure(100, 'CollectionNotExists', 'no c') }));
    let seen: unknown;
    const execute = client.execute(same =>
      same.getLoadState({ collection_name: 'c' }).catch(error => {
        seen = error;
        throw error;
      }),
    );

    const error = await failureOf(execute);
    expect(error).toBe(seen);
    expect(error).toMatchObject({ method: 'getLoadState', errorCode: 100, attempts: 1 });
  });

  it('runs its function once, and has its calls repeated one by one as always', async () => {
    stub
      .next('GetVersion', unavailable)
      .next('GetLoadState', rst(INTERNAL_ERROR))
      .next('Insert', unavailable);
    let runs = 0;
    const execute = client.execute(async same => {
      runs++;
      await same.getVersion();
      await same.getLoadState({ collection_name: 'c' });
      await same.insert(rows);
    });

    expect(await failureOf(execute)).toMatchObject({ code: 'MILVUS_OUTCOME_UNKNOWN', outcomeUnknown: true });
    expect(runs).toBe(1);
    expect(['GetVersion', 'GetLoadState', 'Insert'].map(rpc => stub.count(rpc))).toEqual([2, 2, 1]);
    expect(client.pool.stats().sends).toMatchObject({ retries: 2, reruns: 0 });
  });

  it('keeps the database, and that of each request', async () => {
    await client.with({ database: 'books' }).execute(async same => {
      await same.insert(rows);
      await same.with({ database: 'films' }).getVersion();
      await same.with({}).getLoadState({ collection_name: 'c' });
      await same.use({ db_name: 'songs' });
      await same.checkHealth();
    });
    await client.execute(same => same.getPersistentSegmentInfo({ collectionName: 'c' }));

    expect(databasesOf('Insert')).toEqual(['books']);
    expect(databasesOf('GetVersion')).toEqual(['films']);
    expect(databasesOf('GetLoadState')).toEqual(['books']);
    expect(databasesOf('CheckHealth')).toEqual(['songs']);
    expect(databasesOf('GetPersistentSegmentInfo')).toEqual(['default']);
  });

  it('goes over the connection of the lease whose client it is called on', async () => {
    await client.getVersion();
    const lease = await client.pool.acquire({ timeoutMs: 20_000 });
    await lease.client.execute(async same => {
      await same.getVersion();
      await same.with({ timeoutMs: 10_000 }).execute(inner => inner.getVersion());
    });
    await client.execute(same => same.getVersion());

    expect(stub.calls('GetVersion').map(({ connectionId }) => connectionId)).toEqual([1, 2, 2, 1]);
    lease.release();
    expect(await failureOf(lease.client.execute(() => 1))).toMatchObject({
      code: 'MILVUS_CLOSED',
      message:
        'Milvus client "search": execute was refused: its lease has been released. Acquire another with pool.acquire()',
    });
  });

  it('has its calls give statuses where the client does, and its deadline throw all the same', async () => {
    stub.always('GetLoadState', answer({ status: failure(100, 'CollectionNotExists', 'no c') }));
    const statuses = client.with({ errors: 'status', retry: false });
    const given = await statuses.execute(same => same.getLoadState({ collection_name: 'c' }));
    expect(given).toMatchObject({ status: { code: 100, reason: 'no c' } });

    stub.always('GetVersion', unavailable);
    expect(await failureOf(statuses.execute(same => same.getVersion()))).toMatchObject({
      code: 14,
      details: 'no coordinator',
    });
    const late = await failureOf(statuses.execute(() => new Promise(() => {}), { timeoutMs: 150 }));
    expect(late).toBeInstanceOf(MilvusDeadlineExceededError);
    expect(late).toMatchObject({ method: 'execute' });
  });

  it.each<[string, unknown, string]>([
    ['an unknown option', { retry: false }, '`retry` is unknown. Known: timeoutMs, signal, idempotent'],
    ['no options', null, 'the options must be an object'],
    ['options that are none', 'soon', 'the options must be an object'],
    ['no time', { timeoutMs: 0 }, '`timeoutMs` must be a number of milliseconds above 0'],
    ['a time that is none', { timeoutMs: '5' }, '`timeoutMs` must be a number of milliseconds above 0'],
    ['no signal', { signal: {} }, '`signal` must be an AbortSignal'],
    ['a wish that is neither yes nor no', { idempotent: 1 }, '`idempotent` must be true or false'],
  ])('is refused for %s', async (_what, options, message) => {
    let ran = false;
    const refused = client.execute(() => {
      ran = true;
    }, options as MilvusExecuteOptions);

    const error = await failureOf(refused);
    expect(error).toBeInstanceOf(MilvusConfigurationError);
    expect(error).toMatchObject({ client: 'search', method: 'execute' });
    expect(error.message).toBe(`Milvus client "search": execute(): ${message}`);
    expect(ran).toBe(false);
  });

  it('takes undefined for not given', async () => {
    const options = { timeoutMs: undefined, signal: undefined, idempotent: undefined };
    await expect(client.execute(() => 1, options)).resolves.toBe(1);
  });
});

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MilvusAbortedError,
  type MilvusCallOptions,
  MilvusConfigurationError,
  PooledMilvusClient,
} from '../../../lib/index.js';
import {
  closeClients,
  durationOf,
  eventually,
  failureOf,
  pooledClient,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { realProcess } from '../../support/real-process.js';
import { answer, failure, hang, StubServer, success } from '../../support/stub-server.js';

/** HTTP/2's code of a stream that its caller gave up. */
const CANCEL = 8;

let stub: StubServer;
let client: PooledMilvusClient;

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { name: 'search' });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('a derived client', () => {
  it('is a client of the same name and pool', async () => {
    const derived = client.with({ timeoutMs: 10_000 });

    expect(derived).toBeInstanceOf(PooledMilvusClient);
    expect(derived).not.toBe(client);
    expect([derived.name, derived.pool]).toEqual([client.name, client.pool]);
    await derived.getVersion();
    await client.getVersion();
    expect(stub.connectionsEver).toBe(1);
  });

  it('ends with its client, which it cannot end itself', async () => {
    const derived = client.with({ database: 'books' });
    await derived.closeConnection();
    await derived[Symbol.asyncDispose]();
    expect(await derived.drain()).toMatchObject({ clean: true, clients: [] });
    await derived.getVersion();
    await client.closeConnection();

    for (const each of [derived, client, client.with({})]) {
      expect(await failureOf(each.getVersion())).toMatchObject({ code: 'MILVUS_CLOSED' });
      expect(each.connectStatus).toBe(client.connectStatus);
    }
  });

  it.each<[string, unknown, RegExp]>([
    [
      'an unknown option',
      { retries: 3 },
      /`retries` is unknown\. Known: timeoutMs, signal, database, retry, idempotent, errors/,
    ],
    ['no time', { timeoutMs: 0 }, /`timeoutMs` must be a number of milliseconds above 0/],
    ['a time that is none', { timeoutMs: '5' }, /`timeoutMs`/],
    ['no signal', { signal: {} }, /`signal` must be an AbortSignal/],
    ['no database', { database: '' }, /`database`/],
    ['a database that no header can hold', { database: 'bücher' }, /`database`/],
    ['retries as a number', { retry: 3 }, /`retry` must be false or an object/],
    ['a wish that is neither yes nor no', { idempotent: 'yes' }, /`idempotent` must be true or false/],
    ['another error mode', { errors: 'ignore' }, /`errors` must be 'throw' or 'status'/],
  ])('is refused for %s', (_what, options, message) => {
    const refused = () => client.with(options as MilvusCallOptions);

    expect(refused).toThrow(MilvusConfigurationError);
    expect(refused).toThrow(message);
    expect(refused).toThrow(/^Milvus client "search": with\(\): /);
  });

  it('takes undefined for not given', async () => {
    const derived = client.with({
      timeoutMs: undefined,
      signal: undefined,
      database: undefined,
      retry: undefined,
      idempotent: undefined,
      errors: undefined,
    });
    await derived.getVersion();
    expect(stub.calls('GetVersion')[0]?.metadata['dbname']).toBe('default');
  });
});

describe('with({ timeoutMs })', () => {
  beforeEach(async () => {
    await client.ping({ timeoutMs: 10_000 });
    stub.always('Query', hang());
  });

  it.each<[string, () => PooledMilvusClient, number | undefined, string]>([
    [
      'its own',
      () => client.with({ timeoutMs: 120 }),
      undefined,
      '120 ms. Milvus may still execute it. Raise `with({ timeoutMs })`',
    ],
    [
      "the request's, when sooner",
      () => client.with({ timeoutMs: 60_000 }),
      120,
      "120 ms. Milvus may still execute it. Raise the request's `timeout`",
    ],
    [
      'its own, when sooner than that',
      () => client.with({ timeoutMs: 120 }),
      60_000,
      'Raise `with({ timeoutMs })`',
    ],
    [
      'the sooner of two',
      () => client.with({ timeoutMs: 120 }).with({ timeoutMs: 500 }),
      undefined,
      '120 ms',
    ],
    [
      'the class of the method, when sooner',
      () => pooledClient(stub.address, { timeouts: { readMs: 120 } }).with({ timeoutMs: 60_000 }),
      60_000,
      '120 ms. Milvus may still execute it. Raise `timeouts.readMs`',
    ],
  ])('ends a call at the earliest limit: %s', async (_what, derive, timeout, message) => {
    const derived = derive();
    await derived.ping({ timeoutMs: 10_000 });
    const query = derived.query({ collection_name: 'c', filter: 'id > 0', ...(timeout && { timeout }) });
    const tookMs = durationOf(query);

    const error = await failureOf(query);
    expect(error).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'query' });
    expect(error.message).toContain(message);
    expect(await tookMs).toBeGreaterThan(110);
    expect(await tookMs).toBeLessThan(SOON_MS);
  });
});

describe('with({ signal })', () => {
  const reason = new Error('the user went away');

  it('ends a call that is on the wire, at once and at the server too', async () => {
    stub.always('Search', hang());
    const controller = new AbortController();
    const search = quietly(
      client.with({ signal: controller.signal }).search({ collection_name: 'c', data: [1, 2, 3, 4] }),
    );
    await stub.waitFor(s => s.count('Search') === 1);
    controller.abort(reason);

    const error = await failureOf(search);
    expect(error).toBeInstanceOf(MilvusAbortedError);
    expect(error).toMatchObject({
      client: 'search',
      method: 'search',
      code: 'MILVUS_ABORTED',
      cause: reason,
    });
    expect(error.message).toContain('Milvus may still execute it');
    await stub.waitFor(s => s.cancelled.length === 1);
    expect(stub.cancelled[0]).toMatchObject({ rpc: 'Search', code: CANCEL });
    expect(client.pool.stats().inFlight).toBe(0);
  });

  it('ends a call that waits for room, which is never sent', async () => {
    const crowded = pooledClient(stub.address, { pool: { maxConnections: 1, maxStreamsPerConnection: 1 } });
    stub.next('GetVersion', hang());
    const first = quietly(crowded.getVersion());
    await stub.waitFor(s => s.count() === 1);
    const controller = new AbortController();
    const second = quietly(crowded.with({ signal: controller.signal }).getVersion());
    await eventually(() => crowded.pool.stats().pending === 1);
    controller.abort(reason);

    expect(await failureOf(second)).toMatchObject({
      code: 'MILVUS_ABORTED',
      message: expect.stringContaining('It was not sent'),
    });
    expect(crowded.pool.stats().pending).toBe(0);
    expect(stub.count()).toBe(1);
    await crowded.drain({ timeoutMs: 0 });
    await failureOf(first);
  });

  it('ends a call that sleeps between two polls', async () => {
    stub.on('GetLoadingProgress', () => ({ status: success, progress: 10 }));
    const controller = new AbortController();
    const load = quietly(client.with({ signal: controller.signal }).loadCollection({ collection_name: 'c' }));
    await stub.waitFor(s => s.count('GetLoadingProgress') === 1);
    controller.abort(reason);

    expect(await failureOf(load)).toMatchObject({ code: 'MILVUS_ABORTED', method: 'loadCollection' });
  });

  it('sends nothing when it has aborted before', async () => {
    const aborted = client.with({ signal: AbortSignal.abort(reason) });

    expect(await failureOf(aborted.insert(rows))).toMatchObject({ code: 'MILVUS_ABORTED', cause: reason });
    expect(stub.connectionsEver).toBe(0);
  });

  it('may be of many calls at once, without a warning of a leak', async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error) => warnings.push(name);
    realProcess.on('warning', note);
    const controller = new AbortController();
    const derived = client.with({ signal: controller.signal });
    await Promise.all(times(30, () => derived.getVersion()));
    await new Promise(resolve => setImmediate(resolve));
    realProcess.off('warning', note);

    expect(warnings).not.toContain('MaxListenersExceededWarning');
  });

  it('is one of several: each ends the call', async () => {
    stub.always('GetVersion', hang());
    const outer = new AbortController();
    const inner = new AbortController();
    const derived = client.with({ signal: outer.signal }).with({ signal: inner.signal });
    const calls = times(2, () => derived.getVersion());
    await stub.waitFor(s => s.count() === 2);
    outer.abort(reason);

    for (const call of calls) expect(await failureOf(call)).toMatchObject({ cause: reason });
  });

  it('leaves no listener when the call is over, and other clients alone', async () => {
    const { signal } = new AbortController();
    await client.with({ signal }).getVersion();
    await failureOf(client.with({ signal }).query({ collection_name: '' }));
    await client.getVersion();

    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('tells an abort from the deadline in the status mode too', async () => {
    stub.always('GetVersion', hang());
    const controller = new AbortController();
    const call = quietly(client.with({ signal: controller.signal, errors: 'status' }).getVersion());
    await stub.waitFor(s => s.count() === 1);
    controller.abort(reason);

    expect(await failureOf(call)).toBeInstanceOf(MilvusAbortedError);
  });
});

describe('with({ errors })', () => {
  beforeEach(() => {
    stub.always(
      'DropCollection',
      answer({
        status: failure(100, 'CollectionNotExists', 'no c') as never,
        ...failure(100, 'CollectionNotExists', 'no c'),
      }),
    );
  });

  const drop = (each: PooledMilvusClient) => each.dropCollection({ collection_name: 'c' });

  it('gives statuses instead of errors, and the reverse', async () => {
    const statuses = pooledClient(stub.address, { errors: 'status' });

    await expect(drop(client)).rejects.toMatchObject({ code: 'MILVUS_SERVER', errorCode: 100 });
    await expect(drop(client.with({ errors: 'status' }))).resolves.toMatchObject({
      code: 100,
      reason: 'no c',
    });
    await expect(drop(statuses)).resolves.toMatchObject({ code: 100 });
    await expect(drop(statuses.with({ errors: 'throw' }))).rejects.toMatchObject({ errorCode: 100 });
  });

  it('rejects in the status mode with what the plain SDK does not know', async () => {
    const statuses = client.with({ errors: 'status' });
    await client.drain();

    expect(await failureOf(drop(statuses))).toMatchObject({ code: 'MILVUS_CLOSED' });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { MilvusDeadlineExceededError } from '../../../lib/index.js';
import {
  closeClients,
  durationOf,
  failureOf,
  pause,
  pooledClient,
  SOON_MS,
} from '../../support/pooled-client.js';
import { ANY, delay, hang, StubServer, success } from '../../support/stub-server.js';

const CANCEL = 8;
const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };

let stub: StubServer;
/** With limits so short that a call which must succeed is not for this client. */
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, {
    name: 'search',
    timeouts: { readMs: 200, writeMs: 250, adminMs: 300, waitMs: 280 },
  });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

/** What the server was told of the time that an RPC has, in ms. */
const toldMs = (rpc: string) => Number.parseInt(String(stub.calls(rpc)[0]?.metadata['grpc-timeout']), 10);

/** The call ends after this long, by this error; a little sooner is the timer's rounding. */
async function expectDeadline(
  start: () => Promise<unknown>,
  ms: number,
): Promise<MilvusDeadlineExceededError> {
  const startedAt = performance.now();
  const error = await failureOf<MilvusDeadlineExceededError>(start());
  const took = performance.now() - startedAt;
  expect(error).toBeInstanceOf(MilvusDeadlineExceededError);
  expect(error.message).toContain(`did not end within its ${ms} ms`);
  expect(took).toBeGreaterThanOrEqual(ms - 5);
  expect(took).toBeLessThan(ms + SOON_MS);
  return error;
}

describe('the deadline of a class', () => {
  beforeEach(async () => {
    await client.ping({ timeoutMs: 10_000 });
    stub.always(ANY, hang());
  });

  it.each<[string, number, (client: PooledMilvusClient) => Promise<unknown>]>([
    ['a read', 200, each => each.query({ collection_name: 'c', filter: 'id > 0' })],
    ['a write', 250, each => each.insert(rows)],
    ['a change of the schema', 300, each => each.dropCollection({ collection_name: 'c' })],
    ['a wait', 280, each => each.loadCollection({ collection_name: 'c' })],
  ])('ends %s after %s ms', async (_what, ms, call) => {
    const error = await expectDeadline(() => call(client), ms);

    expect(error).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', client: 'search', grpcCode: 4 });
    expect(error.message).toMatch(/Milvus client "search": \w+ .*Raise `timeouts\.\w+Ms`/);
  });

  it.each<[string, (client: PooledMilvusClient) => Promise<unknown>]>([
    ['hybridSearch', each => each.hybridSearch({ collection_name: 'c', data: [], rerank: {} as never })],
    ['listCollections', each => each.listCollections()],
    ['list_collections', each => each.list_collections()],
    ['describeReplicas', each => each.describeReplicas({ collectionID: '1' })],
    ['showPartitions', each => each.showPartitions({ collection_name: 'c' })],
    ['getCollectionStats', each => each.getCollectionStats({ collection_name: 'c' })],
    ['selectRole', each => each.selectRole({ roleName: 'r' })],
    ['selectUser', each => each.selectUser({ username: 'u' })],
    [
      'listGrant',
      each => each.listGrant({ roleName: 'r', object: '*', objectName: '*', privilegeName: '*' } as never),
    ],
  ])("ends the SDK's alias %s too", async (_name, call) => {
    await expectDeadline(() => call(client), 200);
  });

  it.each<[string, (client: PooledMilvusClient) => Promise<unknown>, number]>([
    ['loadCollectionSync', each => each.loadCollectionSync({ collection_name: 'c' }), 280],
    ['alterIndex', each => each.alterIndex({ collection_name: 'c', index_name: 'i', params: {} }), 300],
    ['dropUser', each => each.dropUser({ username: 'u' }), 300],
  ])("ends the SDK's alias %s by the class of what it stands for", async (_name, call, ms) => {
    await expectDeadline(() => call(client), ms);
  });
});

describe("the request's own timeout", () => {
  it('ends the call sooner than its class', async () => {
    stub.always('DescribeCollection', hang());
    const patient = pooledClient(stub.address);
    await patient.getVersion();

    await expectDeadline(() => patient.describeCollection({ collection_name: 'c', timeout: 100 }), 100);
    await expectDeadline(
      () => patient.search({ collection_name: 'c', data: [1, 2, 3, 4], timeout: 100 }),
      100,
    );
    await expectDeadline(() => patient.insert({ ...rows, timeout: 100 }), 100);
  });

  it('does not lift the limit of its class', async () => {
    stub.always('Query', hang());
    await client.ping({ timeoutMs: 10_000 });
    const query = { collection_name: 'c', filter: 'id > 0', timeout: 5_000 };

    await expectDeadline(() => client.query(query), 200);
  });

  it('that is over before it begins ends the call at once, and is named', async () => {
    const patient = pooledClient(stub.address);
    await patient.ping({ timeoutMs: 10_000 });
    const late = patient.query({ collection_name: 'c', filter: 'id > 0', timeout: -5 });
    const tookMs = durationOf(late);

    expect((await failureOf(late)).message).toContain('within its 0 ms');
    expect((await failureOf(late)).message).toContain("Raise the request's `timeout`");
    expect(await tookMs).toBeLessThan(SOON_MS);
  });

  it.each([
    ['Infinity', Number.POSITIVE_INFINITY],
    ['more than a timer can hold', 2 ** 31],
    ['the largest integer', Number.MAX_SAFE_INTEGER],
  ])('may be %s', async (_what, timeout) => {
    stub.always('DescribeCollection', delay(20));
    const patient = pooledClient(stub.address);

    await expect(patient.describeCollection({ collection_name: 'c', timeout })).resolves.toMatchObject({
      collection_name: 'c',
    });
  });
});

describe('each RPC of a method that waits', () => {
  it('is bounded by its own class', async () => {
    const waiting = pooledClient(stub.address, {
      name: 'search',
      timeouts: { readMs: 150, waitMs: 60_000 },
    });
    await waiting.ping({ timeoutMs: 10_000 });
    stub.always('GetLoadingProgress', hang());

    const error = await expectDeadline(() => waiting.loadCollection({ collection_name: 'c' }), 150);

    expect(error).toMatchObject({ client: 'search', method: 'loadCollection' });
    expect(error.message).toMatch(
      /loadCollection: its GetLoadingProgress did not end .*Raise `timeouts\.readMs`/,
    );
  });
});

describe('a deadline', () => {
  it('is one for all RPCs of the call', async () => {
    const patient = pooledClient(stub.address, { timeouts: { writeMs: 60_000 } });
    stub.next('DescribeCollection', delay(150));
    await patient.insert(rows);

    expect(toldMs('DescribeCollection')).toBeLessThanOrEqual(60_000);
    expect(toldMs('Insert')).toBeLessThanOrEqual(toldMs('DescribeCollection') - 148);
  });

  it('ends a call in the middle of its RPCs', async () => {
    await client.ping({ timeoutMs: 10_000 });
    stub.always('DescribeCollection', delay(150)).always('Insert', hang());

    await expectDeadline(() => client.insert(rows), 250);
  });

  it('ends a call that polls for ever, and its polling', async () => {
    stub
      .on('HasCollection', () => ({ status: success, value: false }))
      .on('GetLoadingProgress', () => ({ status: success, progress: 10 }));
    const polling = pooledClient(stub.address, { pool: { maxConnections: 1 }, timeouts: { waitMs: 600 } });
    await polling.ping({ timeoutMs: 10_000 });

    // On a machine that stalls the time may be up before the first poll: then once more.
    do {
      await expectDeadline(() => polling.createCollection({ collection_name: 'c', dimension: 4 }), 600);
    } while (stub.count('GetLoadingProgress') === 0);
    // Behind all that was sent.
    await polling.ping({ timeoutMs: 10_000 });
    const all = stub.count();
    await pause(1_000);

    expect(stub.count()).toBe(all);
  });

  it('cancels the stream at the server', async () => {
    await client.ping({ timeoutMs: 10_000 });
    stub.always('GetVersion', hang());
    await expectDeadline(() => client.getVersion(), 200);
    await stub.waitFor(s => s.cancelled.length === 1);

    expect(stub.cancelled[0]).toMatchObject({ rpc: 'GetVersion', code: CANCEL });
    expect(stub.connectionsOpen).toBe(1);
    expect(client.pool.stats().inFlight).toBe(0);
  });

  it('is told to the server', async () => {
    const patient = pooledClient(stub.address, { timeouts: { readMs: 40_000 } });
    await patient.getVersion();
    await patient.describeCollection({ collection_name: 'c', timeout: 20_000 });

    expect(toldMs('GetVersion')).toBeGreaterThan(30_000);
    expect(toldMs('GetVersion')).toBeLessThanOrEqual(40_000);
    expect(toldMs('DescribeCollection')).toBeGreaterThan(10_000);
    expect(toldMs('DescribeCollection')).toBeLessThanOrEqual(20_000);
  });

  it("is not cut short by the SDK's own 15 s for an RPC", async () => {
    const patient = pooledClient(stub.address, { timeouts: { readMs: 50_000, writeMs: 60_000 } });
    await patient.insert(rows);
    await patient.query({ collection_name: 'c', filter: 'id > 0' });

    const told = stub.received.map(({ rpc, metadata }) => [
      rpc,
      Number.parseInt(String(metadata['grpc-timeout']), 10),
    ]);
    expect(told).toEqual([
      ['DescribeCollection', expect.any(Number)],
      ['Insert', expect.any(Number)],
      ['Query', expect.any(Number)],
    ]);
    for (const [, ms] of told) expect(ms).toBeGreaterThan(40_000);
  });

  it('that passes while nothing could be sent says why, and not that Milvus may execute it', async () => {
    const { address } = stub;
    await stub.stop();
    const error = await failureOf(client.describeCollection({ collection_name: 'c', timeout: 150.5 }));

    expect(error.message).toContain(`was not sent: ${address}`);
    expect(error.message).not.toContain('may still execute');
  });

  it('of a ping is its own, whatever the class says', async () => {
    stub.always('GetVersion', delay(400));

    await expect(client.ping({ timeoutMs: 10_000 })).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('leaves the connection to the calls beside it', async () => {
    const patient = pooledClient(stub.address, { pool: { maxConnections: 1 } });
    stub.next('GetVersion', hang()).next('GetVersion', delay(300));
    await patient.describeCollection({ collection_name: 'c' });
    const hanging = expectDeadline(() => patient.ping({ timeoutMs: 80 }), 80);
    const beside = patient.getVersion();

    await hanging;
    await expect(beside).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });
});

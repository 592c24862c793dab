import { constants } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { closeClients, eventually, failureOf, pooledClient, quietly } from '../../support/pooled-client.js';
import { answer, type Behaviour, failure, hang, rst, StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address);
  await client.ping({ timeoutMs: 10_000 });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

type Make = (of: PooledMilvusClient) => Promise<unknown>;

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const insert: Make = of => of.insert(rows);
const createPartition: Make = of => of.createPartition({ collection_name: 'c', partition_name: 'p' });
const search: Make = of => of.search({ collection_name: 'c', data: [1, 2, 3, 4] });

/** What a call fails with that is ended in this way as soon as it has `begun`. */
type End = (of: PooledMilvusClient, make: Make, begun: () => boolean) => Promise<Error>;

const deadline: End = async (of, make, begun) => {
  for (;;) {
    const error = await failureOf(make(of.with({ timeoutMs: 300 })));
    // On a machine that stalls the time may be up before: then once more.
    if (begun()) return error;
  }
};

const abort: End = async (of, make, begun) => {
  const controller = new AbortController();
  const call = quietly(make(of.with({ signal: controller.signal })));
  await eventually(begun);
  controller.abort();
  return failureOf(call);
};

const drain: End = async (of, make, begun) => {
  const call = quietly(make(of));
  await eventually(begun);
  await of.drain({ timeoutMs: 20 });
  return failureOf(call);
};

const ofCaller: [string, string, End][] = [
  ['its signal aborts', 'MILVUS_ABORTED', abort],
  ['its client reaches the drain limit', 'MILVUS_CLOSED', drain],
];
const ends: typeof ofCaller = [['its deadline passes', 'MILVUS_DEADLINE_EXCEEDED', deadline], ...ofCaller];

describe.each(ends)('a call that ends because %s', (_why, code, end) => {
  it.each<[string, string, Make, true | undefined]>([
    ['an insert', 'Insert', insert, true],
    ['a write that may be repeated', 'CreatePartition', createPartition, true],
    ['a search', 'Search', search, undefined],
  ])('says of %s on the wire whether its outcome is unknown', async (_what, rpc, make, expected) => {
    stub.always(rpc, hang());
    const error = await end(client, make, () => stub.count(rpc) > 0);

    expect(error).toMatchObject({ code, attempts: 1 });
    expect((error as { outcomeUnknown?: true }).outcomeUnknown).toBe(expected);
    expect(error.message).toContain('Milvus may still execute it');
  });

  it('says nothing of the kind of an insert whose first question is still on the wire', async () => {
    stub.always('DescribeCollection', hang());
    const error = await end(client, insert, () => stub.count('DescribeCollection') > 0);

    expect(error).toMatchObject({ code, method: 'insert' });
    expect(error).not.toHaveProperty('outcomeUnknown');
  });
});

describe.each(ofCaller)('a write that waits to be sent again, and ends because %s', (_why, code, end) => {
  it.each<[string, Behaviour, true | undefined]>([
    ['may have been executed', status(14, 'no coordinator'), true],
    ['certainly was not', rst(constants.NGHTTP2_REFUSED_STREAM), undefined],
  ])('says whether its outcome is unknown when it %s before', async (_what, behaviour, expected) => {
    const retry = { initialDelayMs: 60_000, maxDelayMs: 60_000, jitter: 'none' as const };
    const patient = pooledClient(stub.address, { timeouts: { writeMs: 120_000, adminMs: 120_000 }, retry });
    stub.always('CreatePartition', behaviour);
    const pausing = () => stub.count('CreatePartition') === 1 && patient.pool.stats().inFlight === 0;
    const error = await end(patient, createPartition, pausing);

    expect(error).toMatchObject({ code, attempts: 1 });
    expect((error as { outcomeUnknown?: true }).outcomeUnknown).toBe(expected);
    const fate = expected ? 'Milvus may still execute it' : 'Milvus did not execute it';
    expect(error.message).toContain(fate);
  });
});

describe('a write that waits in the line', () => {
  const rooms = { maxConnections: 1, maxStreamsPerConnection: 1 };
  let narrow: PooledMilvusClient;
  let before: Promise<unknown>;

  async function occupy(acquireTimeoutMs: number): Promise<void> {
    narrow = pooledClient(stub.address, { pool: { ...rooms, acquireTimeoutMs } });
    stub.resetCounts();
    stub.always('GetVersion', hang());
    before = quietly(narrow.with({ timeoutMs: 60_000 }).getVersion());
    await stub.waitFor(s => s.count('GetVersion') === 1);
  }

  afterEach(async () => {
    await narrow.drain({ timeoutMs: 0 });
    await failureOf(before);
  });

  it.each(ofCaller)('is never sent when %s, and has no outcome', async (_why, code, end) => {
    await occupy(60_000);
    const error = await end(narrow, createPartition, () => narrow.pool.stats().pending === 1);

    expect(error).toMatchObject({ code, message: expect.stringContaining('It was not sent') });
    expect(error).not.toHaveProperty('outcomeUnknown');
    expect(error).not.toHaveProperty('attempts');
    expect(narrow.pool.stats().sends).toMatchObject({ attempts: 1, unknownOutcomes: 0 });
  });

  it('is never sent when its deadline passes, or that of the line, and has no outcome', async () => {
    await occupy(150);
    const own = await failureOf(createPartition(narrow.with({ timeoutMs: 50 })));
    const ofLine = await failureOf(createPartition(narrow));

    for (const error of [own, ofLine]) {
      expect(error).toMatchObject({
        code: 'MILVUS_POOL_EXHAUSTED',
        message: expect.stringContaining('was not sent'),
      });
      expect(error).not.toHaveProperty('outcomeUnknown');
    }
    expect(narrow.pool.stats().sends).toMatchObject({ attempts: 1, unknownOutcomes: 0 });
  });
});

describe('a write whose attempts are proven not to have been executed', () => {
  it.each<[string, () => unknown, object]>([
    [
      'HTTP/2 says so',
      () => stub.always('Insert', rst(constants.NGHTTP2_REFUSED_STREAM)),
      { code: 'MILVUS_UNAVAILABLE' },
    ],
    [
      "Milvus's rate limit refused it",
      () => stub.always('Insert', answer({ status: failure(8, 'RateLimit') })),
      { code: 'MILVUS_RATE_LIMIT' },
    ],
    [
      'Milvus refused it',
      () => stub.always('Insert', answer({ status: failure(100, 'CollectionNotExists') })),
      { code: 'MILVUS_SERVER' },
    ],
    ['its privilege is missing', () => stub.always('Insert', status(7, 'no')), { code: 'MILVUS_SERVER' }],
  ])('says nothing of its outcome: %s', async (_how, behave, expected) => {
    behave();
    for (const retry of [false, { maxAttempts: 2, initialDelayMs: 5 }] as const) {
      if (retry && expected['code' as never] === 'MILVUS_RATE_LIMIT') continue;
      const error = await failureOf(insert(client.with({ retry })));
      expect(error).toMatchObject(expected);
      expect(error).not.toHaveProperty('outcomeUnknown');
    }
  });
});

describe('a write of unknown outcome', () => {
  it('is sent once, and is no case for a fallback', async () => {
    stub.always('Insert', status(14, 'no coordinator'));
    const error = await failureOf(insert(client));

    expect(error).toMatchObject({ code: 'MILVUS_OUTCOME_UNKNOWN', outcomeUnknown: true, attempts: 1 });
    expect(stub.count('Insert')).toBe(1);
    expect(client.pool.stats().sends.unknownOutcomes).toBe(1);
  });

  it('stays one when a later attempt is proven not to have been executed', async () => {
    const sure = client.with({ idempotent: true, retry: { maxAttempts: 2, initialDelayMs: 5 } });
    stub.next('Insert', status(14, 'no coordinator')).next('Insert', rst(constants.NGHTTP2_REFUSED_STREAM));
    const error = await failureOf(insert(sure));

    expect(error).toMatchObject({ code: 'MILVUS_UNAVAILABLE', outcomeUnknown: true, attempts: 2 });
  });

  it('is known when a later attempt is answered', async () => {
    const sure = client.with({ idempotent: true, retry: { initialDelayMs: 5 } });
    stub.next('Insert', status(14, 'no coordinator'));

    await expect(insert(sure)).resolves.toMatchObject({ insert_cnt: '1' });
    expect(client.pool.stats().sends).toMatchObject({ unknownOutcomes: 0, retries: 1 });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MilvusError,
  MilvusRetriesExhaustedError,
  MilvusUnavailableError,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import {
  answer,
  type Behaviour,
  destroySession,
  failure,
  hang,
  httpStatus,
  rst,
  StubServer,
  status,
} from '../../support/stub-server.js';

const INTERNAL_ERROR = 2;

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { name: 'search', retry: { initialDelayMs: 5 } });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const unavailable = status(14, 'no coordinator');
const idempotent = { idempotent: true };
const sends = () => client.pool.stats().sends;

/** A read, then a write that is not sent again by itself. */
async function readAndInsert(same: PooledMilvusClient): Promise<string> {
  await same.getVersion();
  await same.insert(rows);
  return 'done';
}

describe('execute({ idempotent: true })', () => {
  it.each<[string, string, Behaviour]>([
    ['Milvus is not available', 'GetVersion', unavailable],
    ['a proxy has lost Milvus', 'GetVersion', httpStatus(502)],
    ['the connection breaks under a read', 'GetVersion', destroySession('reset')],
    ['the outcome of a write is unknown', 'Insert', rst(INTERNAL_ERROR)],
    ['the connection breaks under a write', 'Insert', destroySession()],
    ['Milvus is not ready', 'Insert', answer({ status: failure(1, 'NotReadyServe') })],
    [
      'Milvus moves what is read',
      'GetVersion',
      answer({ status: failure(503, 'UnexpectedError', 'channel not available') }),
    ],
  ])('runs the whole function again when %s', async (_what, rpc, behaviour) => {
    stub.next(rpc, behaviour);
    let runs = 0;
    const execute = client.execute(same => {
      runs++;
      return readAndInsert(same);
    }, idempotent);

    expect(await execute).toBe('done');
    expect(runs).toBe(2);
    const inserts = rpc === 'Insert' ? 2 : 1;
    expect([stub.count('GetVersion'), stub.count('Insert')]).toEqual([2, inserts]);
    expect(sends()).toMatchObject({ retries: 0, reruns: 1, rpcs: 3 + inserts });
  });

  it.each<[string, number, (same: PooledMilvusClient) => unknown, Behaviour]>([
    [
      'a refusal that lasts',
      1,
      same => same.getVersion(),
      answer({ status: failure(65535, 'UnexpectedError', 'no') }),
    ],
    ['a missing privilege', 1, same => same.getVersion(), status(7, 'no privilege')],
    ['wrong credentials', 1, same => same.getVersion(), status(16, 'auth check failure')],
    ['its own deadline', 1, same => same.with({ timeoutMs: 200 }).getVersion(), hang()],
    ['an error of the caller', 0, () => Promise.reject(new TypeError('mine')), answer()],
    ['what the SDK refuses', 0, same => same.query({ collection_name: '' } as never), answer()],
  ])('does not run it again for %s', async (_what, sent, run, behaviour) => {
    await client.ping({ timeoutMs: 10_000 });
    stub.resetCounts();
    stub.always('GetVersion', behaviour);
    let last: unknown;
    const execute = client.execute(async same => {
      try {
        return await run(same);
      } catch (error) {
        last = error;
        throw error;
      }
    }, idempotent);

    expect(await failureOf(execute)).toBe(last);
    expect(stub.count()).toBe(sent);
    expect(sends().reruns).toBe(0);
  });

  it('ends with the errors of all runs when there may be no more', async () => {
    stub.next('GetVersion', unavailable).always('Insert', unavailable);
    const thrown: unknown[] = [];
    const execute = client.execute(
      same =>
        readAndInsert(same).catch(error => {
          thrown.push(error);
          throw error;
        }),
      idempotent,
    );

    const error = await failureOf<MilvusRetriesExhaustedError>(execute);
    expect(error).toBeInstanceOf(MilvusRetriesExhaustedError);
    expect(error).toBeInstanceOf(MilvusUnavailableError);
    expect(error).toMatchObject({ client: 'search', method: 'execute', attempts: 3, outcomeUnknown: true });
    expect(error.errors).toEqual(thrown);
    expect(error.errors.map(each => (each as MilvusError).method)).toEqual([
      'getVersion',
      'insert',
      'insert',
    ]);
    expect(error.cause).toBe(thrown[2]);
    expect(error.message).toBe(
      `Milvus client "search": execute failed 3 times; retry.maxAttempts allows no more. The last error: ${(thrown[2] as Error).message}`,
    );
    expect([stub.count('GetVersion'), stub.count('Insert')]).toEqual([3, 2]);
    expect(sends()).toMatchObject({ retries: 0, reruns: 2 });
  });

  it('does not say that an outcome is unknown when only reads failed', async () => {
    stub.always('GetVersion', unavailable);
    const error = await failureOf(client.execute(readAndInsert, idempotent));

    expect(error).toBeInstanceOf(MilvusRetriesExhaustedError);
    expect(error).not.toHaveProperty('outcomeUnknown');
  });

  it('throws what a later run fails with when that lasts', async () => {
    stub.next('GetVersion', unavailable).next('GetVersion', status(7, 'no privilege'));

    expect(await failureOf(client.execute(readAndInsert, idempotent))).toMatchObject({
      code: 'MILVUS_SERVER',
      grpcCode: 7,
      method: 'getVersion',
    });
    expect(sends().reruns).toBe(1);
  });

  it('does not forget a write of an earlier run of which nobody knows', async () => {
    stub
      .next('Insert', unavailable)
      .next('GetVersion', answer())
      .next('GetVersion', status(7, 'no privilege'));

    expect(await failureOf(client.execute(readAndInsert, idempotent))).toMatchObject({
      code: 'MILVUS_SERVER',
      grpcCode: 7,
      method: 'getVersion',
      outcomeUnknown: true,
    });
  });
});

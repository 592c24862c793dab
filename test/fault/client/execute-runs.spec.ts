import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusRetriesExhaustedError, type PooledMilvusClient } from '../../../lib/index.js';
import { closeClients, failureOf, gate, pause, pooledClient, quietly } from '../../support/pooled-client.js';
import { answer, hang, StubServer, status, until } from '../../support/stub-server.js';

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

describe('a run that failed', () => {
  it('has the reads ended that nobody waits for any more, before the next one begins', async () => {
    stub.next('GetVersion', unavailable).next('GetLoadState', hang()).next('GetLoadingProgress', hang());
    const leftovers: Promise<unknown>[] = [];
    let cancelledBefore: string[] = [];
    stub.always('GetVersion', call => {
      cancelledBefore = stub.cancelled.map(({ rpc }) => rpc);
      answer()(call);
    });
    await client.execute(async same => {
      const failing =
        leftovers.length > 0
          ? undefined
          : [same.getLoadState({ collection_name: 'c' }), same.loadCollection({ collection_name: 'c' })];
      // Nobody looks at those: their end must not be a rejection that nobody handles.
      leftovers.push(...(failing ?? []));
      if (failing)
        await stub.waitFor(s => s.count('GetLoadState') === 1 && s.count('GetLoadingProgress') === 1);
      await same.getVersion();
    }, idempotent);

    expect(cancelledBefore.sort()).toEqual(['GetLoadState', 'GetLoadingProgress']);
    for (const leftover of leftovers)
      expect(await failureOf(leftover)).toMatchObject({ code: 'MILVUS_CLOSED' });
    expect(stub.count('GetVersion')).toBe(2);
  });

  it('is not followed by the next before its writes have ended, also those that nobody waits for', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', unavailable).next('Insert', until(opened));
    const leftovers: Promise<unknown>[] = [];
    const execute = client.execute(async same => {
      const insert = same.insert(rows);
      leftovers.push(insert);
      if (leftovers.length === 1) await stub.waitFor(s => s.count('Insert') === 1);
      await Promise.all([insert, same.getVersion()]);
    }, idempotent);
    await stub.waitFor(s => s.count('GetVersion') === 1);
    // Many times the longest pause.
    await pause(200);
    expect(leftovers).toHaveLength(1);
    open();
    await execute;

    await expect(leftovers[0]).resolves.toMatchObject({ insert_cnt: '1' });
    expect([stub.count('Insert'), stub.count('GetVersion')]).toEqual([2, 2]);
    expect(stub.cancelled).toEqual([]);
  });

  it('has no client any more', async () => {
    stub.next('GetVersion', unavailable);
    const clients: PooledMilvusClient[] = [];
    let late: Promise<unknown> | undefined;
    await client.execute(async same => {
      clients.push(same);
      if (clients.length > 1) late = quietly(clients[0]!.insert(rows));
      await same.getVersion();
    }, idempotent);

    expect(await failureOf(late!)).toMatchObject({ code: 'MILVUS_CLOSED', method: 'insert' });
    expect([stub.count('GetVersion'), stub.count('Insert')]).toEqual([2, 0]);
  });

  it('is not multiplied by an execute within', async () => {
    stub.always('GetVersion', unavailable);
    const error = await failureOf<MilvusRetriesExhaustedError>(
      client.execute(
        outer => outer.execute(inner => inner.execute(readAndInsert, idempotent), idempotent),
        idempotent,
      ),
    );

    expect(error.errors).toHaveLength(3);
    expect(stub.count()).toBe(3);
    expect(sends()).toMatchObject({ attempts: 3, reruns: 2 });
  });

  it('is run again by the one within when that alone is idempotent', async () => {
    stub.next('GetVersion', unavailable, 2);
    let outerRuns = 0;
    await client.execute(outer => {
      outerRuns++;
      return outer.execute(readAndInsert, idempotent);
    });

    expect([outerRuns, stub.count('GetVersion')]).toEqual([1, 3]);
    expect(sends()).toMatchObject({ retries: 0, reruns: 2 });
  });
});

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusAbortedError, MilvusClosedError, type PooledMilvusClient } from '../../../lib/index.js';
import { closeClients, failureOf, gate, pooledClient, quietly } from '../../support/pooled-client.js';
import { hang, StubServer, status, until } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { name: 'search', timeouts: { readMs: 120_000, writeMs: 120_000 } });
  await client.ping({ timeoutMs: 10_000 });
  stub.resetCounts();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const over = 'was refused: the execute() that gave this client has ended';

/** A function that still wants to make a call when its execute() has ended, and what comes of that. */
function lateCaller() {
  const { opened, open } = gate();
  let told: (error: Error) => void;
  const refusal = new Promise<Error>(resolve => {
    told = resolve;
  });
  const run = async (same: PooledMilvusClient) => {
    // On a machine that stalls its time may be up already.
    await same.getVersion().catch(() => {});
    await opened;
    await same.getVersion().catch(error => {
      told(error);
      throw error;
    });
  };
  return { run, open, refusal };
}

describe('the signal of execute()', () => {
  const reason = new Error('the user went away');

  it.each<[string, (same: PooledMilvusClient) => Promise<unknown>]>([
    ['a call is on the wire', same => same.getVersion()],
    [
      'its function waits for something else',
      same => Promise.all([same.getVersion(), new Promise(() => {})]),
    ],
  ])('ends everything at once while %s', async (_what, run) => {
    stub.always('GetVersion', hang());
    const controller = new AbortController();
    const execute = quietly(client.execute(run, { signal: controller.signal }));
    await stub.waitFor(s => s.count('GetVersion') === 1);
    controller.abort(reason);

    const error = await failureOf(execute);
    expect(error).toBeInstanceOf(MilvusAbortedError);
    expect(error).toMatchObject({ client: 'search', method: 'execute', cause: reason });
    await stub.waitFor(s => s.cancelled.length === 1);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  it('keeps the function from running when it has aborted before', async () => {
    let ran = false;
    const run = () => {
      ran = true;
    };

    expect(await failureOf(client.execute(run, { signal: AbortSignal.abort(reason) }))).toMatchObject({
      code: 'MILVUS_ABORTED',
      method: 'execute',
      cause: reason,
    });
    expect(await failureOf(client.with({ signal: AbortSignal.abort(reason) }).execute(run))).toMatchObject({
      code: 'MILVUS_ABORTED',
    });
    expect(ran).toBe(false);
  });
});

describe('the end of execute()', () => {
  it('leaves alone the calls that its function did not wait for', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    let floating: Promise<unknown> | undefined;
    await client.execute(async same => {
      floating = same.getVersion();
      await stub.waitFor(s => s.count('GetVersion') === 1);
    });
    open();

    await expect(floating).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(stub.cancelled).toEqual([]);
  });

  it('leaves alone those beside one that failed', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened)).next('GetLoadState', status(7, 'no privilege'));
    let beside: Promise<unknown> | undefined;
    const execute = client.execute(async same => {
      beside = same.getVersion();
      await stub.waitFor(s => s.count('GetVersion') === 1);
      return Promise.all([beside, same.getLoadState({ collection_name: 'c' })]);
    });

    expect(await failureOf(execute)).toMatchObject({ method: 'getLoadState', grpcCode: 7 });
    open();
    await expect(beside).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('is the end of its client, and of those derived from it', async () => {
    let kept: PooledMilvusClient[] = [];
    await client.execute(same => {
      kept = [same, same.with({ timeoutMs: 1_000 }), same.with({ database: 'books' })];
    });

    for (const each of kept) {
      const error = await failureOf(each.getVersion());
      expect(error).toBeInstanceOf(MilvusClosedError);
      expect(error.message).toBe(`Milvus client "search": getVersion ${over}`);
      expect(await failureOf(each.execute(() => 1))).toBeInstanceOf(MilvusClosedError);
    }
    expect(stub.count()).toBe(0);
    await client.getVersion();
  });
});

describe('a drain in the middle of execute()', () => {
  it('waits for it, and admits its further calls and nobody else’s', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    const execute = client.execute(async same => {
      await same.getVersion();
      await same.insert(rows);
      return same.execute(inner => inner.getVersion());
    });
    await stub.waitFor(s => s.count() === 1);
    const drained = client.drain({ timeoutMs: 60_000 });
    expect(await failureOf(client.getVersion())).toMatchObject({ code: 'MILVUS_CLOSED' });
    expect(await failureOf(client.execute(() => 1))).toMatchObject({
      code: 'MILVUS_CLOSED',
      method: 'execute',
    });
    open();

    await expect(execute).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(await drained).toMatchObject({ clean: true, clients: [{ outcome: 'clean', cancelledCalls: 0 }] });
    expect(stub.count('Insert')).toBe(1);
  });

  it('cancels it at the drain limit', async () => {
    const { run, open, refusal } = lateCaller();
    const execute = quietly(client.execute(run));
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const report = await client.drain({ timeoutMs: 100 });

    const error = await failureOf(execute);
    expect(error).toBeInstanceOf(MilvusClosedError);
    expect(error.message).toContain('execute was cancelled: it did not end within the drain limit');
    expect(report).toMatchObject({ clean: false, clients: [{ outcome: 'timedOut', cancelledCalls: 1 }] });
    open();
    expect(await refusal).toBeInstanceOf(MilvusClosedError);
  });
});

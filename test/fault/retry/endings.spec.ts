import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import {
  closeClients,
  durationOf,
  eventually,
  failureOf,
  pause,
  pooledClient,
  quietly,
  SOON_MS,
} from '../../support/pooled-client.js';
import { executing, hang, StubServer, status } from '../../support/stub-server.js';

const LONG_MS = 3 * SOON_MS;
const SHORT_MS = 300;

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

function pausing(ms: number) {
  const retry = { initialDelayMs: ms, maxDelayMs: ms, jitter: 'none' as const };
  const timeouts = { readMs: 10 * SOON_MS };
  return pooledClient(stub.address, { retry, retryBudget: false, timeouts });
}

const read = (client: PooledMilvusClient) => client.getLoadState({ collection_name: 'c' });
const write = (client: PooledMilvusClient) =>
  client.createIndex({ collection_name: 'c', field_name: 'vector' });

/** A call whose first attempt has failed, and whose next one is not due yet. */
async function pausingCall(client: PooledMilvusClient, call: typeof read | typeof write) {
  const rpc = call === read ? 'GetLoadState' : 'CreateIndex';
  stub.next(rpc, status(14));
  const calling = quietly<unknown>(call(client));
  await stub.waitFor(({ received }) => received.length === 1);
  await eventually(() => client.pool.stats().inFlight === 0);
  return { calling, sends: () => stub.count(rpc) };
}

describe('in the pause before another attempt', () => {
  it.each([
    ['read', undefined],
    ['write', true],
  ] as const)('an abort ends the call at once: %s', async (kind, outcomeUnknown) => {
    const client = pausing(LONG_MS);
    const aborting = new AbortController();
    const call = kind === 'read' ? read : write;
    const { calling, sends } = await pausingCall(client.with({ signal: aborting.signal }), call);

    aborting.abort(new Error('the user left'));
    expect(await durationOf(calling)).toBeLessThan(SOON_MS);
    const error = await failureOf(calling);
    expect(error).toMatchObject({ name: 'MilvusAbortedError', attempts: 1, cause: aborting.signal.reason });
    expect(error.outcomeUnknown).toBe(outcomeUnknown);
    expect(sends()).toBe(1);
    expect(client.pool.stats().sends.unknownOutcomes).toBe(outcomeUnknown ? 1 : 0);
  });

  it.each(['abort', 'drain'])('nothing is sent after its end: %s', async how => {
    const client = pausing(SHORT_MS);
    const aborting = new AbortController();
    const { calling, sends } = await pausingCall(client.with({ signal: aborting.signal }), read);

    if (how === 'abort') aborting.abort();
    else await client.drain({ timeoutMs: 0 });
    await failureOf(calling);
    const before = sends();
    await pause(2 * SHORT_MS);
    expect(sends()).toBe(before);
    expect(client.pool.stats().pending).toBe(0);
  });

  it('a drain at its limit ends the call at once', async () => {
    const client = pausing(LONG_MS);
    const { calling, sends } = await pausingCall(client, write);

    const startedAt = performance.now();
    const [report] = (await client.drain({ timeoutMs: 0 })).clients;
    expect(await failureOf(calling)).toMatchObject({ name: 'MilvusClosedError', outcomeUnknown: true });
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    expect(report).toMatchObject({ cancelledCalls: 1 });
    expect(sends()).toBe(1);
  });

  it('a drain lets the call have its other attempts', async () => {
    const client = pausing(SHORT_MS);
    const { calling, sends } = await pausingCall(client, read);

    const [report] = (await client.drain()).clients;
    await expect(calling).resolves.toBeDefined();
    expect(report).toMatchObject({ outcome: 'clean', finishedCalls: 1, cancelledCalls: 0 });
    expect(sends()).toBe(2);
  });
});

describe('during another attempt', () => {
  it('an abort cancels that one', async () => {
    const client = pausing(1);
    stub.always('CreateIndex', executing(hang())).next('CreateIndex', status(14));
    const aborting = new AbortController();
    const call = quietly(write(client.with({ signal: aborting.signal })));
    await stub.waitFor(({ received }) => received.length === 2);

    aborting.abort();
    expect(await failureOf(call)).toMatchObject({
      name: 'MilvusAbortedError',
      attempts: 2,
      outcomeUnknown: true,
    });
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
    expect(stub.count('CreateIndex')).toBe(2);
  });
});

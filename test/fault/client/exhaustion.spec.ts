import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusPoolExhaustedError } from '../../../lib/index.js';
import {
  closeClients,
  connected,
  durationOf,
  failureOf,
  gate,
  pooledClient,
  SOON_MS,
} from '../../support/pooled-client.js';
import { StubServer, until } from '../../support/stub-server.js';

let stub: StubServer;
let answers: ReturnType<typeof gate>;

beforeEach(async () => {
  stub = await StubServer.start();
  answers = gate();
  stub.always('GetVersion', until(answers.opened));
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

/** A client with room for two, both places taken. */
async function fullClient(pool: { maxPending?: number; acquireTimeoutMs?: number }) {
  const client = pooledClient(stub.address, {
    name: 'search',
    pool: { maxConnections: 1, maxStreamsPerConnection: 2, ...pool },
  });
  await connected(client);
  const running = [client.getVersion(), client.getVersion()];
  await stub.waitFor(s => s.inFlight === 2);
  return { client, running };
}

describe('a full pool', () => {
  it('fails the call that finds maxPending calls waiting, at once, with numbers and advice', async () => {
    const { client, running } = await fullClient({ maxPending: 3 });
    const waiting = [client.getVersion(), client.getVersion(), client.getVersion()];
    const refused = client.getVersion();

    expect(await durationOf(refused)).toBeLessThan(SOON_MS);
    const error = await failureOf<MilvusPoolExhaustedError>(refused);
    expect(error).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(error.snapshot).toEqual({
      size: 1,
      maxConnections: 1,
      inFlight: 2,
      pending: 3,
      leases: 0,
      maxLeases: 5,
    });
    expect(error).toMatchObject({ code: 'MILVUS_POOL_EXHAUSTED', client: 'search', method: 'getVersion' });
    expect(error.message).toMatch(/pool\.maxPending .*1 of 1 connections, 2 in flight, 3 waiting/);
    expect(error.message).toMatch(/Raise pool\.maxConnections or pool\.maxStreamsPerConnection/);

    answers.open();
    await Promise.all([...running, ...waiting]);
    expect(stub.count()).toBe(5);
    expect(stub.maxInFlight).toBe(2);
  });

  it('fails the call that waited for acquireTimeoutMs, and never sends it', async () => {
    const { client, running } = await fullClient({ acquireTimeoutMs: 150 });
    const waiting = client.getVersion();

    const took = await durationOf(waiting);
    const error = await failureOf<MilvusPoolExhaustedError>(waiting);
    expect(error).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(error.message).toMatch(/waited for pool\.acquireTimeoutMs/);
    expect(took).toBeGreaterThanOrEqual(145);
    expect(took).toBeLessThan(SOON_MS);

    answers.open();
    await Promise.all(running);
    expect(client.pool.stats()).toMatchObject({ inFlight: 0, pending: 0 });
    expect(stub.count()).toBe(2);
  });

  it('serves those who wait in their order', async () => {
    await closeClients();
    const order: string[] = [];
    stub.behave().on('DescribeCollection', async (request, call) => {
      order.push(String(request['collection_name']));
      await answers.opened;
      return call.defaultAnswer();
    });
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, maxStreamsPerConnection: 1 } });
    const calls = ['a', 'b', 'c', 'd'].map(name => client.describeCollection({ collection_name: name }));
    await stub.waitFor(s => s.inFlight === 1);
    answers.open();
    await Promise.all(calls);

    expect(order).toEqual(['a', 'b', 'c', 'd']);
  });

  it('takes a call whose time is up out of the line', async () => {
    const { client, running } = await fullClient({ acquireTimeoutMs: 5_000 });
    await failureOf(client.describeCollection({ collection_name: 'c', timeout: 50 }));

    expect(client.pool.stats().pending).toBe(0);
    answers.open();
    await Promise.all(running);
    expect(stub.count('DescribeCollection')).toBe(0);
  });
});

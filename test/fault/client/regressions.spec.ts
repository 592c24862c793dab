import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { FaultProxy } from '../../support/fault-proxy.js';
import { closeClients, connected, eventually, failureOf, pooledClient } from '../../support/pooled-client.js';
import { answer, hang, StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('a connection that died in silence', () => {
  it('is found although calls come one after the other, none longer than the interval', async () => {
    const proxy = await FaultProxy.start({ target: stub.address });
    const client = pooledClient(proxy.address, {
      pool: { maxConnections: 1, keepalive: { intervalMs: 300, timeoutMs: 50 } },
    });
    await client.ping({ timeoutMs: 10_000 });
    proxy.pause();
    let done = false;
    const calling = (async () => {
      while (!done) await client.ping({ timeoutMs: 50 }).catch(() => {});
    })();
    try {
      await proxy.waitFor(({ connectionsEver }) => connectionsEver > 1);
    } finally {
      done = true;
      proxy.resume();
      await calling;
      await proxy.stop();
    }
    expect(proxy.connectionsEver).toBeGreaterThan(1);
  });
});

describe('a call that fails while another RPC of it is under way', () => {
  it('takes that one along, and the drain does not wait for it', async () => {
    const client = pooledClient(stub.address, { timeouts: { adminMs: 60_000 } });
    stub.next('CreateIndex', status(13, 'broken'));
    stub.always('CreateIndex', hang());
    const index = (field_name: string) => ({
      collection_name: 'c',
      field_name,
      index_type: 'HNSW',
      metric_type: 'L2',
    });
    await failureOf(client.createIndex([index('a'), index('b')] as never));
    await stub.waitFor(({ cancelled }) => cancelled.length > 0);

    expect(stub.cancelled.map(({ rpc }) => rpc)).toEqual(['CreateIndex']);
    expect(stub.inFlight).toBe(0);
    const report = await client.drain({ timeoutMs: 10_000 });
    expect(report).toMatchObject({ clean: true });
    expect(report.durationMs).toBeLessThan(5_000);
  });
});

describe('a call of several RPCs whose last one was not sent', () => {
  it('does not say that nothing was', async () => {
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 1, maxStreamsPerConnection: 1, acquireTimeoutMs: 1_000 },
    });
    await connected(client);
    stub.on('LoadCollection', async () => {
      // Fills the pool as soon as the call's first step is answered.
      setImmediate(() => client.ping({ timeoutMs: 60_000 }).catch(() => {}));
      return {};
    });
    stub.always('GetVersion', hang());
    stub.always('GetLoadingProgress', answer({ progress: 10 }));
    const error = await failureOf(client.loadCollection({ collection_name: 'c' }));

    expect(error.message).toMatch(/loadCollection was executed in part, its next step was not sent/);
  });
});

describe("an application's logger that throws", () => {
  afterEach(() => Logger.overrideLogger(['fatal']));

  it('costs no call, no connection and no drain', async () => {
    const broken = () => {
      throw new Error('the logger is broken');
    };
    Logger.overrideLogger({
      log: broken,
      warn: broken,
      debug: broken,
      error: broken,
    } as unknown as LoggerService);
    const client = pooledClient(stub.address);

    expect(await client.ping({ timeoutMs: 10_000 })).toMatchObject({ version: 'v2.6.0-stub' });
    expect(await client.drain()).toMatchObject({ clean: true });
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    const nowhere = pooledClient('127.0.0.1:1');
    nowhere.connect();
    await eventually(() => nowhere.pool.state === 'unavailable');
    expect(await failureOf(nowhere.ping({ timeoutMs: 300 }))).toHaveProperty('code', 'MILVUS_UNAVAILABLE');
  });
});

describe('an address that swallows packets', () => {
  it('costs a moment when another one is there', async () => {
    const blackHole = await FaultProxy.start({ target: stub.address });
    blackHole.pause();
    const client = pooledClient([blackHole.address, stub.address], { pool: { connectTimeoutMs: 30_000 } });

    expect(await client.ping({ timeoutMs: 10_000 })).toMatchObject({ version: 'v2.6.0-stub' });
    await client.drain();
    await blackHole.stop();
  });

  it('is named, with a remedy, by the call that could not wait any longer', async () => {
    const blackHole = await FaultProxy.start({ target: stub.address });
    blackHole.pause();
    const error = await failureOf(pooledClient(blackHole.address).ping({ timeoutMs: 300 }));

    expect(error).toHaveProperty('code', 'MILVUS_CONNECT_TIMEOUT');
    expect(error.message).toMatch(
      new RegExp(`was not sent: ${blackHole.address}: no answer for \\d+ ms.*Check host`),
    );
    await blackHole.stop();
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  getMilvusToken,
  MilvusHealthIndicator,
  MilvusModule,
  type MilvusModuleOptions,
  MilvusRegistry,
  PooledMilvusClient,
} from '../../lib/index.js';
import { bootApp, closeApps } from '../support/nest-app.js';
import { eventually, failureOf, gate, quietly, SOON_MS } from '../support/pooled-client.js';
import {
  answer,
  answerRaw,
  type Behaviour,
  failure,
  hang,
  httpStatus,
  StubServer,
  status,
  success,
  until,
} from '../support/stub-server.js';

const SECRET = 'hunter2';

let stub: StubServer;
let app: TestingModule;
let health: MilvusHealthIndicator;

beforeEach(async () => {
  stub = await StubServer.start();
  await boot();
});

afterEach(async () => {
  await closeApps();
  await stub.stop();
});

async function boot(options: Partial<MilvusModuleOptions> = {}): Promise<PooledMilvusClient> {
  app = await bootApp({
    imports: [
      MilvusModule.forRoot({
        address: stub.address,
        username: 'root',
        password: SECRET,
        health: { timeoutMs: 20_000 },
        ...options,
      }),
    ],
  });
  health = app.get(MilvusHealthIndicator);
  return app.get<PooledMilvusClient>(getMilvusToken(options.name));
}

/** The check says down, for a reason that matches, and holds no secret. */
async function expectDown(reason: RegExp, options?: Parameters<MilvusHealthIndicator['pingCheck']>[1]) {
  const { milvus } = await health.pingCheck('milvus', options);
  expect(milvus).toMatchObject({ status: 'down', reason: expect.stringMatching(reason) });
  const printed = JSON.stringify(milvus);
  expect(printed).not.toContain(SECRET);
  expect(printed).not.toContain(btoa(`root:${SECRET}`));
  return milvus;
}

describe('pingCheck', () => {
  it('says up, with state, latency, connections and calls in flight', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const running = app.get<PooledMilvusClient>(getMilvusToken()).getVersion();
    await stub.waitFor(s => s.inFlight === 1);

    const result = await health.pingCheck('milvus');
    open();
    await running;

    expect(result).toEqual({
      milvus: {
        status: 'up',
        state: 'ready',
        latencyMs: expect.any(Number),
        connections: 1,
        inFlight: 1,
      },
    });
    expect(stub.count('CheckHealth')).toBe(1);
  });

  it('measures how long the answer took', async () => {
    stub.delayMs = 60;
    const { milvus } = await health.pingCheck('milvus');

    expect(milvus['latencyMs']).toBeGreaterThanOrEqual(55);
    expect(milvus['latencyMs']).toBeLessThan(SOON_MS);
  });

  it('asks with the credentials of the client', async () => {
    await health.pingCheck('milvus');

    expect(stub.calls('CheckHealth')[0]?.metadata['authorization']).toBe(btoa(`root:${SECRET}`));
  });

  it('checks the client it is told to, by name or as such', async () => {
    const other = await StubServer.start();
    const client = await boot({ name: 'search', address: other.address });

    expect(await health.pingCheck('a', { client: 'search' })).toMatchObject({ a: { status: 'up' } });
    expect(await health.pingCheck('b', { client })).toMatchObject({ b: { status: 'up' } });
    expect(other.count('CheckHealth')).toBe(2);
    await expectDown(/"default" not found\. Registered: "search"/);
    await closeApps();
    await other.stop();
  });

  it.each<[string, Behaviour, RegExp]>([
    [
      'that it is not, and why',
      answer({ status: success, isHealthy: false, reasons: ['querynode 3 is down', 'etcd'] }),
      /^querynode 3 is down; etcd$/,
    ],
    ['that it is not, and not why', answer({ status: success, isHealthy: false }), /not healthy/],
    ['nothing', answerRaw(Buffer.alloc(0)), /not healthy/],
    [
      'that it failed',
      answer({ status: failure(1, 'NotReadyServe', 'rootcoord is not ready'), isHealthy: true }),
      /rootcoord is not ready/,
    ],
    ['UNIMPLEMENTED', status(12, 'unknown method CheckHealth'), /UNIMPLEMENTED.*too old/],
    ['that the credentials are wrong', status(16, 'auth check failure'), /refused the credentials/],
    ['UNAVAILABLE', status(14, 'proxy is not ready'), /not available \(proxy is not ready\)/],
    ['INTERNAL', status(13, 'panic'), /INTERNAL: panic/],
    ['a web page', httpStatus(404), /HTTP 404.*not Milvus.*Check `address`/],
  ])('says down when Milvus answers %s', async (_what, behaviour, reason) => {
    stub.always('CheckHealth', behaviour);

    await expectDown(reason);
  });

  it('says down within its own time limit when the server hangs', async () => {
    stub.always('CheckHealth', hang());
    const startedAt = performance.now();

    const milvus = await expectDown(/150 ms/, { timeoutMs: 150 });

    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    expect(milvus).not.toHaveProperty('latencyMs');
    expect(milvus).toMatchObject({ state: 'ready', connections: 1, inFlight: 0 });
  });

  it("takes the client's health.timeoutMs when it is given none", async () => {
    await boot({ name: 'search', health: { timeoutMs: 120 } });
    stub.always('CheckHealth', hang());

    await expectDown(/120 ms/, { client: 'search' });
  });

  it('says down, and that nobody listens, when the server is gone; and up when it is back', async () => {
    const client = app.get<PooledMilvusClient>(getMilvusToken());
    const { address } = stub;
    await stub.stop();
    await eventually(() => client.pool.state === 'unavailable');

    const milvus = await expectDown(new RegExp(`${address}.*nothing accepts connections`), {
      timeoutMs: 300,
    });
    expect(milvus).toMatchObject({ state: 'unavailable', connections: 0 });

    stub = await StubServer.start({ port: Number(address.split(':')[1]) });
    expect(await health.pingCheck('milvus')).toMatchObject({ milvus: { status: 'up', state: 'ready' } });
  });

  it('says down when the pool is full', async () => {
    const client = await boot({
      name: 'search',
      pool: { maxConnections: 1, maxStreamsPerConnection: 1, acquireTimeoutMs: 100 },
      shutdown: { drainTimeoutMs: 0 },
    });
    stub.always('GetVersion', hang());
    quietly(client.getVersion());
    await stub.waitFor(s => s.inFlight === 1);

    await expectDown(/pool\.acquireTimeoutMs/, { client: 'search' });
  });

  it('says down, and does not ask, from the begin of a shutdown on', async () => {
    app.get(MilvusRegistry).announceEnd();
    stub.resetCounts();

    await expectDown(/shutting down/);
    expect(stub.count()).toBe(0);
  });

  it('says down for a closed client', async () => {
    await app.get<PooledMilvusClient>(getMilvusToken()).drain();

    await expectDown(/closed/);
  });

  it.each([null, 0, {}])('says down, and does not throw, for %p as client', async client => {
    await expectDown(/.+/, { client: client as never });
  });
});

describe('ping() and isAvailable() of a client', () => {
  let client: PooledMilvusClient;

  beforeEach(() => {
    client = app.get<PooledMilvusClient>(getMilvusToken());
  });

  it('tell version and latency, and that Milvus is healthy', async () => {
    expect(await client.ping({ timeoutMs: 20_000 })).toEqual({
      version: 'v2.6.0-stub',
      latencyMs: expect.any(Number),
    });
    expect(await client.isAvailable()).toBe(true);
  });

  it('throw, and say no, in their own time when the server hangs', async () => {
    stub.always('GetVersion', hang()).always('CheckHealth', hang());

    expect(await failureOf(client.ping({ timeoutMs: 100 }))).toMatchObject({
      code: 'MILVUS_DEADLINE_EXCEEDED',
      method: 'ping',
    });
    const startedAt = performance.now();
    expect(await client.isAvailable({ timeoutMs: 100 })).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
  });

  it.each<[string, Behaviour]>([
    ['that it is not healthy', answer({ status: success, isHealthy: false })],
    ['nothing', answerRaw(Buffer.alloc(0))],
    ['UNIMPLEMENTED', status(12)],
    ['UNAUTHENTICATED', status(16)],
  ])('say no when Milvus answers %s', async (_what, behaviour) => {
    stub.always('CheckHealth', behaviour);

    expect(await client.isAvailable()).toBe(false);
  });

  it('throw, and say no, when the client is closed', async () => {
    await client.drain();

    expect(await failureOf(client.ping())).toMatchObject({ code: 'MILVUS_CLOSED' });
    expect(await client.isAvailable()).toBe(false);
  });

  it('throw when GetVersion answers a failure', async () => {
    stub.always('GetVersion', answer({ status: failure(1, 'UnexpectedError', 'not now'), version: '' }));

    expect(await failureOf(client.ping())).toMatchObject({ code: 'MILVUS_SERVER', reason: 'not now' });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  getMilvusToken,
  MilvusClosedError,
  MilvusHealthIndicator,
  MilvusModule,
  type MilvusModuleOptions,
  MilvusRegistry,
  PooledMilvusClient,
} from '../../../lib/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bootApp, closeApps, RecordedLog } from '../../support/nest-app.js';
import {
  durationOf,
  eventually,
  failureOf,
  gate,
  pause,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { hang, StubServer, success, until } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeApps();
  await stub.stop();
});

interface App {
  app: TestingModule;
  client: PooledMilvusClient;
  log: RecordedLog;
}

async function boot(options: Partial<MilvusModuleOptions> = {}): Promise<App> {
  const log = new RecordedLog();
  const app = await bootApp(
    { imports: [MilvusModule.forRoot({ address: stub.address, ...options })] },
    { log },
  );
  return { app, log, client: app.get<PooledMilvusClient>(getMilvusToken()) };
}

describe('from onModuleDestroy on', () => {
  it('health says down while calls still work', async () => {
    const seen: Record<string, unknown> = {};
    const app = await bootApp({
      imports: [MilvusModule.forRoot({ address: stub.address })],
      providers: [
        {
          provide: 'probe',
          inject: [getMilvusToken(), MilvusHealthIndicator],
          useFactory: (client: PooledMilvusClient, health: MilvusHealthIndicator) => ({
            async beforeApplicationShutdown() {
              seen['one'] = await health.pingCheck('milvus');
              seen['all'] = await health.isHealthy('milvus');
              seen['version'] = await client.getVersion();
              seen['state'] = client.pool.state;
            },
          }),
        },
      ],
    });
    await app.close();

    expect(seen['one']).toMatchObject({
      milvus: { status: 'down', reason: expect.stringMatching(/shutting down/) },
    });
    expect(seen['all']).toMatchObject({
      milvus: {
        status: 'down',
        clients: { default: { status: 'down', reason: expect.stringMatching(/shutting down/) } },
      },
    });
    expect(seen['version']).toMatchObject({ version: 'v2.6.0-stub' });
    expect(seen['state']).toBe('ready');
  });
});

describe('onApplicationShutdown', () => {
  it('lets a call in flight end, refuses new ones, and closes every connection', async () => {
    const { opened, open } = gate();
    const { app, client, log } = await boot({ pool: { minConnections: 3 } });
    stub.next('GetVersion', until(opened));
    const call = client.getVersion();
    await stub.waitFor(s => s.inFlight === 1);

    const closed = app.close();
    await eventually(() => client.pool.state === 'draining');
    const refused = await failureOf<MilvusClosedError>(client.describeCollection({ collection_name: 'c' }));
    expect(refused).toBeInstanceOf(MilvusClosedError);
    expect(refused).toMatchObject({ code: 'MILVUS_CLOSED', client: 'default', method: 'describeCollection' });
    open();

    await expect(call).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    await closed;
    await stub.waitFor(s => s.connectionsOpen === 0);
    expect(client.pool.state).toBe('closed');
    expect(stub.count('DescribeCollection')).toBe(0);
    expect(log.of('default')).toContainEqual(
      expect.stringMatching(/^log draining → closed in \d+ ms: 1 call finished, 0 cancelled/),
    );
  });

  it('lets a call of several RPCs go on sending', async () => {
    const { app, client } = await boot();
    let loading = 0;
    stub.on('GetLoadingProgress', () => ({ status: success, progress: loading++ < 1 ? 10 : 100 }));
    const call = client.loadCollection({ collection_name: 'c' });
    await stub.waitFor(s => s.count('GetLoadingProgress') === 1);

    await app.close();

    await expect(call).resolves.toMatchObject({ error_code: 'Success' });
    expect(stub.count('GetLoadingProgress')).toBe(2);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('lets calls that wait for room be served', async () => {
    const { opened, open } = gate();
    const { app, client } = await boot({ pool: { maxConnections: 1, maxStreamsPerConnection: 1 } });
    stub.always('GetVersion', until(opened));
    const calls = times(3, () => client.getVersion());
    await eventually(() => client.pool.stats().pending === 2);

    const closed = app.close();
    await eventually(() => client.pool.state === 'draining');
    open();

    await expect(Promise.all(calls)).resolves.toHaveLength(3);
    await closed;
  });

  it('cancels what is left at drainTimeoutMs, at the server too', async () => {
    const { app, client, log } = await boot({ shutdown: { drainTimeoutMs: 200 } });
    stub.always('GetVersion', hang());
    const calls = times(3, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 3);

    const took = await durationOf(app.close());

    expect(took).toBeGreaterThanOrEqual(195);
    expect(took).toBeLessThan(SOON_MS);
    for (const call of calls) {
      const error = await failureOf<MilvusClosedError>(call);
      expect(error).toBeInstanceOf(MilvusClosedError);
      expect(error.message).toMatch(/getVersion was cancelled: .*shutdown\.drainTimeoutMs/);
    }
    await stub.waitFor(s => s.connectionsOpen === 0 && s.inFlight === 0);
    expect(log.of('default')).toContainEqual(
      expect.stringMatching(
        /^warn draining → closed in \d+ ms: 0 calls finished, 3 cancelled at the drain limit/,
      ),
    );
  });

  it('resets the streams it cancels', async () => {
    const { client } = await boot();
    stub.always('GetVersion', hang());
    const calls = times(3, () => client.getVersion());
    await stub.waitFor(s => s.inFlight === 3);

    await client.drain({ timeoutMs: 0 });
    await Promise.allSettled(calls);
    await stub.waitFor(s => s.connectionsOpen === 0);

    expect(stub.cancelled.map(({ rpc, code }) => [rpc, code])).toEqual(times3(['GetVersion', 8]));
  });

  it('stops the polling of a call that it cancels', async () => {
    const { app, client } = await boot({ shutdown: { drainTimeoutMs: 100 } });
    stub.on('GetLoadingProgress', () => ({ status: success, progress: 10 }));
    const call = quietly(client.loadCollection({ collection_name: 'c' }));
    await stub.waitFor(s => s.count('GetLoadingProgress') === 1);

    await app.close();

    await expect(call).rejects.toMatchObject({ code: 'MILVUS_CLOSED', method: 'loadCollection' });
    await stub.waitFor(s => s.connectionsOpen === 0);
    const sent = stub.count();
    await pause(600);
    expect(stub.count()).toBe(sent);
  });

  it('may be asked for twice, and by hand before', async () => {
    const { app, client } = await boot();
    const registry = app.get(MilvusRegistry);
    const [first, second] = await Promise.all([registry.close(), registry.close()]);
    await app.close();
    await app.close();

    expect(first).toEqual(second);
    expect(first).toMatchObject({ clean: true, clients: [{ client: 'default', outcome: 'clean' }] });
    expect(await client.drain()).toMatchObject({ clean: true });
    expect(await client.closeConnection()).toBe(client.connectStatus);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('drains all clients at the same time', async () => {
    const app = await bootApp({
      imports: ['a', 'b', 'c'].map(name =>
        MilvusModule.forRoot({ name, address: stub.address, shutdown: { drainTimeoutMs: 60_000 } }),
      ),
    });
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const clients = ['a', 'b', 'c'].map(name => app.get<PooledMilvusClient>(getMilvusToken(name)));
    for (const client of clients) quietly(client.getVersion());
    await stub.waitFor(s => s.inFlight === 3);

    const closed = app.close();
    // None of them can be through before the gate opens.
    await eventually(() => clients.every(({ pool }) => pool.state === 'draining'));
    open();
    await closed;
  });

  it('ends in time while the first connection is being made', async () => {
    const proxy = await FaultProxy.start({ target: stub.address });
    proxy.blackholeNew();
    const { app, client } = await boot({
      address: proxy.address,
      startup: { mode: 'lazy' },
      shutdown: { drainTimeoutMs: 200 },
    });
    const call = quietly(client.getVersion());
    await proxy.waitFor(p => p.connectionsOpen === 1);

    expect(await durationOf(app.close())).toBeLessThan(SOON_MS);
    await expect(call).rejects.toMatchObject({ code: 'MILVUS_CLOSED' });
    await proxy.waitFor(p => p.connectionsOpen === 0);
    await proxy.stop();
  });

  it('ends in time while the server is down, and tries no more', async () => {
    const proxy = await FaultProxy.start({ target: stub.address });
    const { app, client } = await boot({ address: proxy.address, shutdown: { drainTimeoutMs: 200 } });
    await stub.stop();
    await eventually(() => client.pool.state === 'unavailable');
    const call = quietly(client.getVersion());

    expect(await durationOf(app.close())).toBeLessThan(SOON_MS);
    await expect(call).rejects.toMatchObject({ code: 'MILVUS_CLOSED' });
    await proxy.settled();
    const tries = proxy.connectionsEver;
    await pause(700);
    expect(proxy.connectionsEver).toBe(tries);
    await proxy.stop();
  });

  it('ends in time although the server hangs, and leaves it no socket', async () => {
    const proxy = await FaultProxy.start({ target: stub.address });
    const { app, client } = await boot({ address: proxy.address, shutdown: { drainTimeoutMs: 200 } });
    proxy.pause();
    quietly(client.getVersion());

    expect(await durationOf(app.close())).toBeLessThan(SOON_MS);
    await proxy.waitFor(p => p.connectionsOpen === 0);
    await proxy.stop();
  });

  it('ends in time on an idle connection to a server that hangs', async () => {
    const proxy = await FaultProxy.start({ target: stub.address });
    const { app } = await boot({ address: proxy.address });
    proxy.pause();

    expect(await durationOf(app.close())).toBeLessThan(SOON_MS);
    await proxy.waitFor(p => p.connectionsOpen === 0);
    await proxy.stop();
  });

  it('ends a background start that has not succeeded', async () => {
    stub.always('Connect', hang());
    const { app } = await boot({ startup: { mode: 'background' }, shutdown: { drainTimeoutMs: 100 } });
    await stub.waitFor(s => s.count('Connect') === 1);

    await app.close();
    await stub.waitFor(s => s.connectionsOpen === 0);
    await pause(700);

    expect(stub.count('Connect')).toBe(1);
  });

  it('does not wait for a background start: nobody waits for that one', async () => {
    await stub.stop();
    const { app, client } = await boot({ startup: { mode: 'background' } });
    await eventually(() => client.pool.state === 'unavailable');

    expect(await durationOf(app.close())).toBeLessThan(SOON_MS);
    expect(await client.drain()).toMatchObject({ clean: true });
  });

  it('leaves no timer', async () => {
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;
    const before = timers();
    const { app, client } = await boot({ pool: { minConnections: 2 } });
    await Promise.all(
      times(20, () => client.insert({ collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] })),
    );
    await failureOf(client.describeCollection({ collection_name: '' }));
    await app.close();
    await stub.waitFor(s => s.connectionsOpen === 0);

    expect(timers()).toBe(before);
  });
});

const times3 = <T>(value: T): T[] => [value, value, value];

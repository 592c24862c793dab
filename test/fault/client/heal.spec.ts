import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusConnectTimeoutError, MilvusUnavailableError } from '../../../lib/index.js';
import { freePort } from '../../../lib/testing/free-port.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import {
  closeClients,
  connected,
  durationOf,
  eventually,
  eventuallyResolves,
  failureOf,
  pause,
  pooledClient,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { hang, StubServer } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('a server that goes and comes back', () => {
  it('answers after its return the reads that were under way', async () => {
    const client = pooledClient(stub.address, { pool: { maxConnections: 1, acquireTimeoutMs: 20_000 } });
    await client.getVersion();
    stub.next('GetVersion', hang());
    const under = quietly(client.with({ timeoutMs: 20_000 }).getVersion());
    await stub.waitFor(s => s.count() === 2);

    const port = Number(stub.address.split(':')[1]);
    await stub.stop();
    await eventually(() => client.pool.state === 'unavailable');
    stub = await StubServer.start({ port });

    await expect(under).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    // Before it the connection was asked whether it works.
    expect(stub.count()).toBe(2);
    expect(client.pool.stats().sends).toMatchObject({ rpcs: 2, attempts: 3 });
  });

  it('fails calls under way at once where nothing is sent again, and gets calls again soon after its return', async () => {
    const client = pooledClient(stub.address, { name: 'search', pool: { maxConnections: 1 }, retry: false });
    await client.getVersion();
    stub.next('GetVersion', hang());
    const under = quietly(client.getVersion());
    await stub.waitFor(s => s.count() === 2);

    const port = Number(stub.address.split(':')[1]);
    await stub.stop();
    const error = await failureOf<MilvusUnavailableError>(under);
    expect(error).toBeInstanceOf(MilvusUnavailableError);
    expect(error).toMatchObject({ client: 'search', method: 'getVersion', grpcCode: 14 });
    expect(error.message).toMatch(/the connection broke .*not known/);

    await eventually(() => client.pool.state === 'unavailable');
    await pause(500);
    stub = await StubServer.start({ port });
    expect(await durationOf(client.getVersion())).toBeLessThan(SOON_MS);
    expect(client.pool.state).toBe('ready');
  });

  it('fails what cannot wait, and serves what can, when calls go on through the outage', async () => {
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 2, acquireTimeoutMs: 300 },
    });
    await connected(client);
    let stopped = false;
    const failures: unknown[] = [];
    const succeededAt: number[] = [];
    const workers = times(10, async () => {
      while (!stopped) {
        await client.getVersion().then(
          () => succeededAt.push(performance.now()),
          error => failures.push(error),
        );
        await pause(5);
      }
    });
    await eventually(() => succeededAt.length > 20);

    const port = Number(stub.address.split(':')[1]);
    await stub.stop();
    await eventually(() => failures.length > 20);
    stub = await StubServer.start({ port });
    const backAt = performance.now();
    await eventually(() => succeededAt.some(at => at > backAt));
    stopped = true;
    await Promise.all(workers);

    for (const error of failures) expect(error).toBeInstanceOf(MilvusUnavailableError);
    expect(succeededAt.find(at => at > backAt)! - backAt).toBeLessThan(SOON_MS);
    expect(stub.connectionsEver).toBeLessThanOrEqual(2);
  });

  it('is waited for by a call that has the time', async () => {
    const port = Number(stub.address.split(':')[1]);
    await stub.stop();
    const client = pooledClient(`127.0.0.1:${port}`, {
      pool: { acquireTimeoutMs: 20_000 },
      timeouts: { readMs: 20_000 },
    });

    const waiting = client.getVersion();
    await eventually(() => client.pool.state === 'unavailable');
    stub = await StubServer.start({ port });

    await expect(waiting).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('says at once and by name that nobody listens, when there is no time to wait', async () => {
    const port = await freePort();
    const client = pooledClient(`127.0.0.1:${port}`, { name: 'search' });
    client.connect();
    await eventually(() => client.pool.state === 'unavailable');

    const error = await failureOf(client.ping({ timeoutMs: 200 }));

    expect(error).toBeInstanceOf(MilvusUnavailableError);
    expect(error.message).toMatch(
      `Milvus client "search": ping was not sent: 127.0.0.1:${port}: nothing accepts`,
    );
    expect(error.message).toMatch(/ECONNREFUSED.*Check that Milvus runs/);
  });
});

describe('a server that is down for long', () => {
  let proxy: FaultProxy;

  beforeEach(async () => {
    proxy = await FaultProxy.start({ target: stub.address });
  });

  afterEach(async () => {
    await closeClients();
    await proxy.stop();
  });

  it('is not stormed with connections, calls or no calls', async () => {
    const client = pooledClient(proxy.address, {
      pool: { minConnections: 4, maxConnections: 4, acquireTimeoutMs: 200 },
    });
    await connected(client);
    await stub.stop();
    const before = proxy.connectionsEver;
    const tries = () => proxy.connectionsEver - before;

    const startedAt = performance.now();
    let tookMs = 0;
    while (tookMs < 1_500 || tries() < 2) {
      await Promise.allSettled(times(20, () => client.getVersion()));
      tookMs = performance.now() - startedAt;
    }

    // At most one try per pause of 50 to 500 ms, whatever the number of calls and of connections to replace.
    expect(tries()).toBeLessThanOrEqual(tookMs / 100);
  });

  it('does not keep a call longer than connectTimeoutMs and its own limits when it swallows connections', async () => {
    proxy.blackholeNew();
    const client = pooledClient(proxy.address, {
      name: 'search',
      pool: { connectTimeoutMs: 150, acquireTimeoutMs: 500 },
    });

    const call = quietly(client.getVersion());
    expect(await durationOf(call)).toBeLessThan(SOON_MS);
    const error = await failureOf(call);

    expect(error).toBeInstanceOf(MilvusConnectTimeoutError);
    expect(error.message).toMatch(/pool\.connectTimeoutMs \(150 ms\)/);
    expect(error['code']).toBe('MILVUS_CONNECT_TIMEOUT');

    proxy.resume();
    await expect(eventuallyResolves(() => client.getVersion())).resolves.toMatchObject({
      version: 'v2.6.0-stub',
    });
  });
});

describe('one connection of several', () => {
  it('breaks without the others, and is replaced', async () => {
    const client = pooledClient(stub.address, { pool: { minConnections: 3, maxConnections: 3 } });
    await connected(client);

    stub.connections[0]!.socket.resetAndDestroy();
    // It is missed as soon as it is gone, or has been replaced already.
    await eventually(() => client.pool.stats().connections.size === 2 || stub.connectionsEver === 4);
    await Promise.all(times(30, () => client.getVersion()));
    await eventually(() => client.pool.stats().connections.size === 3);

    expect(stub.connectionsEver).toBe(4);
    expect(client.pool.state).toBe('ready');
  });
});

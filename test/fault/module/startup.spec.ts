import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  getMilvusToken,
  MilvusInitializationError,
  MilvusModule,
  PooledMilvusClient,
} from '../../../lib/index.js';
import { freePort } from '../../../lib/testing/free-port.js';
import { bootApp, closeApps, compileApp, RecordedLog } from '../../support/nest-app.js';
import { eventually, failureOf, gate, pause, quietly, SOON_MS } from '../../support/pooled-client.js';
import { hang, StubServer, status, success, until } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeApps();
  await stub.stop();
});

const portOf = ({ address }: StubServer) => Number(address.split(':')[1]);

/** Boots, and gives the error by which that failed. */
async function bootError(...imports: ReturnType<typeof MilvusModule.forRoot>[]) {
  return failureOf<MilvusInitializationError>(bootApp({ imports }));
}

describe('startup eager', () => {
  it('is through when Milvus knows the client, with its credentials and database', async () => {
    const log = new RecordedLog();
    const app = await bootApp(
      { imports: [MilvusModule.forRoot({ address: stub.address, token: 'root:Milvus', database: 'books' })] },
      { log },
    );

    expect(stub.received.map(({ rpc }) => rpc)).toEqual(['Connect']);
    expect(stub.received[0]?.metadata).toMatchObject({
      authorization: btoa('root:Milvus'),
      dbname: 'books',
    });
    expect(stub.received[0]?.request['client_info']).toMatchObject({ sdk_type: 'nodejs' });
    expect(log.of('default')).toContainEqual(
      expect.stringMatching(
        new RegExp(`^log connected to ${stub.address} \\(Milvus v2.6.0-stub\\) in \\d+ ms`),
      ),
    );

    const client = app.get<PooledMilvusClient>(getMilvusToken());
    await client.getVersion();
    expect(stub.received[1]?.metadata['identifier']).toBe('7');
    expect(client.serverInfo).toMatchObject({ build_tags: 'v2.6.0-stub' });
  });

  it('fails at once for wrong credentials, and does not name them', async () => {
    stub.always('Connect', status(16, 'auth check failure, please check username and password are correct'));

    const error = await bootError(
      MilvusModule.forRoot({ name: 'search', address: stub.address, username: 'root', password: 'hunter2' }),
    );

    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error).toMatchObject({ code: 'MILVUS_INITIALIZATION', client: 'search', attempts: 1 });
    expect(error.message).toMatch(`Milvus client "search" could not start`);
    expect(error.message).toMatch(`Tried: Connect to ${stub.address}, once`);
    expect(error.message).toMatch(/auth check failure.*Check `username` and `password`/);
    expect(error.cause).toMatchObject({ code: 'MILVUS_AUTHENTICATION' });
    expect(stub.count()).toBe(1);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('fails at once for a database that is not there', async () => {
    stub.on('Connect', () => ({
      status: { code: 800, error_code: 'UnexpectedError', reason: 'database not found[database=books]' },
    }));

    const error = await bootError(MilvusModule.forRoot({ address: stub.address, database: 'books' }));

    expect(error.message).toMatch(/database not found\[database=books\]/);
    expect(error.cause).toMatchObject({ code: 'MILVUS_SERVER', errorCode: 800 });
    expect(stub.count()).toBe(1);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('goes on trying while nobody listens, until startup.timeoutMs', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const startedAt = performance.now();

    const error = await bootError(MilvusModule.forRoot({ address, startup: { timeoutMs: 500 } }));

    const took = performance.now() - startedAt;
    expect(took).toBeGreaterThan(200);
    expect(took).toBeLessThan(SOON_MS);
    expect(error.message).toMatch(`Tried: Connect to ${address}`);
    expect(error.message).toMatch('startup.timeoutMs');
    expect(error.message).toMatch(/ECONNREFUSED.*Check that Milvus runs/);
  });

  it('gives a server that is only just coming up the time to do so', async () => {
    stub.next('Connect', status(14, 'not ready'), 2);

    await bootApp({
      imports: [MilvusModule.forRoot({ address: stub.address, startup: { timeoutMs: 20_000 } })],
    });

    expect(stub.count('Connect')).toBe(3);
  });

  it('waits for a server that says it is not ready', async () => {
    let tries = 0;
    stub.on('Connect', () =>
      ++tries === 1
        ? { status: { code: 1, error_code: 'NotReadyServe', reason: 'service not ready' } }
        : { status: success, identifier: '7', server_info: {} },
    );

    await bootApp({ imports: [MilvusModule.forRoot({ address: stub.address })] });

    expect(tries).toBe(2);
  });

  it('waits for a server that is started later', async () => {
    const port = portOf(stub);
    await stub.stop();

    const booted = quietly(
      bootApp({
        imports: [MilvusModule.forRoot({ address: `127.0.0.1:${port}`, startup: { timeoutMs: 20_000 } })],
      }),
    );
    await pause(400);
    stub = await StubServer.start({ port });

    await expect(booted).resolves.toBeDefined();
  });

  it('fails when the server takes the call and never answers', async () => {
    stub.always('Connect', hang());
    const startedAt = performance.now();

    const error = await bootError(
      MilvusModule.forRoot({ name: 'search', address: stub.address, startup: { timeoutMs: 800 } }),
    );

    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    expect(error).toMatchObject({ client: 'search', cause: { code: 'MILVUS_DEADLINE_EXCEEDED' } });
    expect(error.message).toMatch(stub.address);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('closes the client that started when another one did not', async () => {
    const other = await StubServer.start();
    other.always('Connect', status(16, 'no'));

    const error = await bootError(
      MilvusModule.forRoot({ name: 'good', address: stub.address, pool: { minConnections: 3 } }),
      MilvusModule.forRoot({ name: 'bad', address: other.address }),
    );

    expect(error).toMatchObject({ client: 'bad' });
    expect(stub.count('Connect')).toBe(1);
    await stub.waitFor(s => s.connectionsOpen === 0);
    await other.waitFor(s => s.connectionsOpen === 0);
    await pause(200);
    expect([stub.connectionsOpen, other.connectionsOpen]).toEqual([0, 0]);
    await other.stop();
  });

  it('names every client that failed in one error', async () => {
    stub.always('Connect', status(16, 'no'));
    const nobody = `127.0.0.1:${await freePort()}`;

    const error = await bootError(
      MilvusModule.forRoot({ name: 'read', address: stub.address }),
      MilvusModule.forRoot({ name: 'write', address: nobody, startup: { timeoutMs: 200 } }),
    );

    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error.message).toMatch(/^2 Milvus clients could not start:/);
    expect(error.message).toMatch(`- Milvus client "read" could not start`);
    expect(error.message).toMatch(`- Milvus client "write" could not start`);
    expect(error.message).toMatch(nobody);
    expect((error.cause as AggregateError).errors).toHaveLength(2);
  });

  it('starts all clients at the same time', async () => {
    const { opened, open } = gate();
    stub.always('Connect', until(opened));
    const booted = bootApp({
      imports: [
        MilvusModule.forRootAsync({
          names: ['a', 'b', 'c', 'd'],
          useFactory: () => {
            const options = { address: stub.address };
            return { a: options, b: options, c: options, d: options };
          },
        }),
      ],
    });

    await stub.waitFor(({ inFlight }) => inFlight === 4);
    open();
    await booted;
    expect(stub.count('Connect')).toBe(4);
  });
});

describe('startup background', () => {
  it('lets the application start without Milvus, and heals when Milvus comes', async () => {
    const port = portOf(stub);
    await stub.stop();
    const log = new RecordedLog();
    const startedAt = performance.now();
    const app = await bootApp(
      {
        imports: [
          MilvusModule.forRoot({
            address: `127.0.0.1:${port}`,
            startup: { mode: 'background', timeoutMs: 300 },
          }),
        ],
      },
      { log },
    );
    expect(performance.now() - startedAt).toBeLessThan(SOON_MS);
    await eventually(() => log.of('default').some(line => /^warn not connected yet/.test(line)));

    stub = await StubServer.start({ port });
    await stub.waitFor(s => s.count('Connect') >= 1);
    const client = app.get<PooledMilvusClient>(getMilvusToken());
    await eventually(() => log.of('default').some(line => line.startsWith('log connected to')));

    expect(client.pool.state).toBe('ready');
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(log.of('default').filter(line => /not connected yet/.test(line))).toHaveLength(1);
  });

  it('starts at once although the server hangs', async () => {
    stub.always('Connect', hang());
    await bootApp({
      imports: [
        MilvusModule.forRoot({
          address: stub.address,
          startup: { mode: 'background' },
          shutdown: { drainTimeoutMs: 0 },
        }),
      ],
    });
    await stub.waitFor(s => s.count('Connect') === 1);
  });

  it('goes on after wrong credentials: they may be mended in Milvus', async () => {
    stub.next('Connect', status(16, 'no'));
    await bootApp({
      imports: [MilvusModule.forRoot({ address: stub.address, startup: { mode: 'background' } })],
    });

    await stub.waitFor(s => s.count('Connect') === 2);
  });
});

describe('startup lazy', () => {
  it('opens nothing until the first call', async () => {
    const app = await bootApp({
      imports: [
        MilvusModule.forRoot({
          address: stub.address,
          startup: { mode: 'lazy' },
          pool: { minConnections: 2 },
        }),
      ],
    });
    await pause(150);
    expect(stub.connectionsEver).toBe(0);

    await app.get<PooledMilvusClient>(getMilvusToken()).getVersion();
    expect(stub.count('GetVersion')).toBe(1);
  });
});

describe('a call before onModuleInit', () => {
  it('works, in the factory of a provider that injects the client', async () => {
    const app = await compileApp({
      imports: [MilvusModule.forRoot({ address: stub.address })],
      providers: [
        {
          provide: 'version',
          inject: [getMilvusToken()],
          useFactory: async (client: PooledMilvusClient) => (await client.getVersion()).version,
        },
      ],
    });
    expect(stub.received.map(({ rpc }) => rpc)).toEqual(['GetVersion']);
    expect(app.get('version')).toBe('v2.6.0-stub');

    await app.init();
    expect(stub.count('Connect')).toBe(1);
    await app.close();
    await stub.waitFor(s => s.connectionsOpen === 0);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  getMilvusToken,
  type MilvusClientOptions,
  MilvusModule,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { MilvusRegistry } from '../../../lib/module/milvus.registry.js';
import { failureRateDefaults, optionDefaults } from '../../../lib/options/defaults.js';
import { freePort } from '../../../lib/testing/free-port.js';
import { type Certificates, makeCertificates } from '../../support/certificates.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bootApp, closeApps, compileApp } from '../../support/nest-app.js';
import {
  closeClients,
  durationOf,
  eventually,
  failureOf,
  pooledClient,
  quietly,
  times,
} from '../../support/pooled-client.js';
import {
  answer,
  delay,
  failure,
  hang,
  StubServer,
  type StubServerOptions,
  success,
} from '../../support/stub-server.js';
import { circuitProofs } from './circuit-proofs.js';
import type { Options, Proof } from './proof.js';
import { retryProofs } from './retry-proofs.js';

let folder: string;
let certificates: Certificates;
/** Run after each test, last first. */
const undo: Array<() => unknown> = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'options-'));
  certificates = await makeCertificates(folder);
});

afterAll(() => rm(folder, { recursive: true }));

afterEach(async () => {
  await closeApps();
  await closeClients();
  for (const step of undo.splice(0).reverse()) await step();
});

async function startStub(options?: StubServerOptions): Promise<StubServer> {
  const stub = await StubServer.start(options);
  undo.push(() => stub.stop());
  return stub;
}

async function behindProxy(): Promise<FaultProxy> {
  const proxy = await FaultProxy.start({ target: (await startStub()).address });
  undo.push(() => proxy.stop());
  return proxy;
}

/** The outcome of a call, short. */
const outcomeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'fine',
    (error: { code: unknown }) => String(error.code),
  );

/** What the server learns of a caller. */
async function toldTo(header: string, options: Options): Promise<unknown> {
  const stub = await startStub();
  await pooledClient(stub.address, options).getVersion();
  return stub.calls('GetVersion')[0]?.metadata[header];
}

const secured = (requestCert = false): StubServerOptions => {
  const { server, ca } = certificates;
  return { tls: { key: server.key.pem, cert: server.cert.pem, ca: ca.pem, requestCert } };
};

/** Whether a call gets through to a server with TLS. */
async function overTls(options: Options, requestCert = false): Promise<string> {
  const stub = await startStub(secured(requestCert));
  return outcomeOf(pooledClient(stub.address, options).getVersion());
}

/** Whether a call of this kind ends, or goes on for longer than the limit that was set. */
async function hangs(
  call: (client: PooledMilvusClient) => Promise<unknown>,
  options: Options,
): Promise<string> {
  const stub = await startStub();
  const client = pooledClient(stub.address, options);
  await client.ping({ timeoutMs: 10_000 });
  for (const rpc of ['Insert', 'Query', 'DropCollection']) stub.always(rpc, hang());
  stub.on('GetLoadingProgress', () => ({ status: success, progress: 1 }));
  const ended = outcomeOf(quietly(call(client)));
  return options.timeouts ? ended : Promise.race([ended, after(300, 'goes on')]);
}

/** What is said of two leases that are held for a while. */
async function leakSeen(options: Options): Promise<string> {
  const stub = await startStub();
  const { pool } = pooledClient(stub.address, options);
  const said = new Promise<string>(resolve => {
    pool.events$.subscribe(({ type }) => {
      if (type === 'lease-leaked' || type === 'too-many-leases') resolve(type);
    });
  });
  await pool.acquire({ timeoutMs: 20_000 });
  await pool.acquire({ timeoutMs: 20_000 });
  return Promise.race([said, after(500, 'nothing')]);
}

function after<T>(ms: number, value: T): Promise<T> {
  return new Promise(resolve => setTimeout(resolve, ms, value));
}

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const expired = 'MILVUS_DEADLINE_EXCEEDED';

/** For each option what it changes, as somebody outside of the process sees it. */
const proofs: () => Record<string, Proof> = () => {
  const { ca, client } = certificates;
  const mutual = (tls: MilvusClientOptions['tls']) => overTls({ tls }, true);
  return {
    address: {
      see: async ({ address }) => {
        const stub = await startStub();
        const client = pooledClient(address ?? stub.address, { timeouts: { readMs: 500 } });
        return outcomeOf(client.getVersion());
      },
      options: { address: ['127.0.0.1:1', '[::1]:1'] },
      expected: 'MILVUS_UNAVAILABLE',
      without: 'fine',
    },
    'tls.ca': {
      see: overTls,
      options: { tls: { ca: ca.file } },
      expected: 'fine',
      without: 'MILVUS_UNAVAILABLE',
    },
    'tls.rootCertPath': {
      see: overTls,
      options: { tls: { rootCertPath: ca.file } },
      expected: 'fine',
      without: 'MILVUS_UNAVAILABLE',
    },
    'tls.rootCert': {
      see: overTls,
      options: { tls: { rootCert: Buffer.from(ca.pem) } },
      expected: 'fine',
      without: 'MILVUS_UNAVAILABLE',
    },
    'tls.rejectUnauthorized': {
      see: overTls,
      options: { tls: { rejectUnauthorized: false } },
      expected: 'fine',
      without: 'MILVUS_UNAVAILABLE',
    },
    'tls.skipCertCheck': {
      see: overTls,
      options: { tls: { skipCertCheck: true } },
      expected: 'fine',
      without: 'MILVUS_UNAVAILABLE',
    },
    'tls.serverName': {
      see: ({ tls }) => overTls({ tls: { ca: ca.file, ...(tls as object) } }),
      options: { tls: { serverName: 'elsewhere.test' } },
      expected: 'MILVUS_UNAVAILABLE',
      without: 'fine',
    },
    ...Object.fromEntries(
      [
        ['tls.cert', { cert: client.cert.file, key: client.key.pem }],
        ['tls.key', { cert: client.cert.pem, key: client.key.file }],
        ['tls.certChainPath', { certChainPath: client.cert.file, privateKeyPath: client.key.file }],
        ['tls.privateKeyPath', { certChain: Buffer.from(client.cert.pem), privateKeyPath: client.key.file }],
        [
          'tls.certChain',
          { certChain: Buffer.from(client.cert.pem), privateKey: Buffer.from(client.key.pem) },
        ],
        ['tls.privateKey', { certChainPath: client.cert.file, privateKey: Buffer.from(client.key.pem) }],
      ].map(([name, tls]) => [
        name,
        {
          see: (options: Options) => mutual({ ca: ca.file, ...(options.tls as object) }),
          options: { tls },
          expected: 'fine',
          without: 'MILVUS_UNAVAILABLE',
        },
      ]),
    ),
    ssl: {
      see: async options => {
        const stub = await startStub();
        return failureOf(
          pooledClient(stub.address, { ...options, timeouts: { readMs: 500 } }).getVersion(),
        ).then(
          error => /does not speak TLS/.test(error.message),
          () => false,
        );
      },
      options: { ssl: true },
      expected: true,
      without: false,
    },
    token: {
      see: options => toldTo('authorization', options),
      options: { token: 'key' },
      expected: btoa('key'),
      without: undefined,
    },
    username: {
      see: options => toldTo('authorization', options),
      options: { username: 'ann', password: 'pw' },
      expected: btoa('ann:pw'),
      without: undefined,
    },
    password: {
      see: options => toldTo('authorization', { username: 'ann', password: '', ...options }),
      options: { password: 'pw' },
      expected: btoa('ann:pw'),
      without: btoa('ann:'),
    },
    credentials: {
      see: options => toldTo('authorization', options),
      options: { credentials: () => ({ token: 'key' }) },
      expected: btoa('key'),
      without: undefined,
    },
    'pool.dedicated': {
      see: async options => {
        const registry = new MilvusRegistry();
        const lazy = { address: 'milvus:19530', startup: { mode: 'lazy' as const } };
        await Promise.all([registry.add('a', { ...lazy, ...options }), registry.add('b', lazy)]);
        const { endpoints } = registry.stats();
        await registry.close();
        return endpoints.map(({ clients }) => clients);
      },
      options: { pool: { dedicated: true } },
      expected: [['a'], ['b']],
      without: [['a', 'b']],
    },
    database: {
      see: options => toldTo('dbname', options),
      options: { database: 'books' },
      expected: 'books',
      without: 'default',
    },
    errors: {
      see: async options => {
        const stub = await startStub();
        stub.always('DropCollection', answer(failure(100, 'CollectionNotExists')));
        return outcomeOf(pooledClient(stub.address, options).dropCollection({ collection_name: 'c' }));
      },
      options: { errors: 'status' },
      expected: 'fine',
      without: 'MILVUS_SERVER',
    },
    'pool.minConnections': {
      see: async options => {
        const stub = await startStub();
        const { pool } = pooledClient(stub.address, options);
        const { min } = pool.stats().connections;
        await pooledClient(stub.address, options).getVersion();
        await stub.waitFor(s => s.connectionsOpen === min);
        return stub.connectionsEver;
      },
      options: { pool: { minConnections: 3 } },
      expected: 3,
      without: 1,
    },
    'pool.maxConnections': {
      see: async options => {
        const stub = await startStub();
        stub.always('GetVersion', hang());
        const crowd = pooledClient(stub.address, options);
        const { max } = crowd.pool.stats().connections;
        // Each wave finds all connections busy, and has another one opened for those that come after it.
        for (let wave = 1; wave <= max; wave += 1) {
          times(20, () => crowd.getVersion());
          const size = Math.min(wave + 1, max);
          await eventually(() => crowd.pool.stats().connections.size === size);
        }
        await stub.waitFor(s => s.inFlight === 20 * max);
        return stub.connectionsEver;
      },
      options: { pool: { maxConnections: 2 } },
      expected: 2,
      without: 4,
    },
    'pool.maxStreamsPerConnection': {
      see: async ({ pool }) => {
        const stub = await startStub();
        const crowd = pooledClient(stub.address, { pool: { maxConnections: 1, ...pool } });
        await Promise.all(times(20, () => crowd.getVersion()));
        return Math.min(20, stub.connections[0]!.maxInFlight) > 3;
      },
      options: { pool: { maxStreamsPerConnection: 3 } },
      expected: false,
      without: true,
    },
    'pool.acquireTimeoutMs': {
      see: async ({ pool }) => {
        const stub = await startStub();
        stub.next('GetVersion', delay(400));
        const narrow = { maxConnections: 1, maxStreamsPerConnection: 1, ...pool };
        const crowd = pooledClient(stub.address, { pool: narrow });
        return Promise.all(times(2, () => outcomeOf(crowd.getVersion())));
      },
      options: { pool: { acquireTimeoutMs: 100 } },
      expected: ['fine', 'MILVUS_POOL_EXHAUSTED'],
      without: ['fine', 'fine'],
    },
    'pool.maxPending': {
      see: async ({ pool }) => {
        const stub = await startStub();
        const crowd = pooledClient(stub.address, { pool: { maxConnections: 1, ...pool } });
        const outcomes = await Promise.all(times(3, () => outcomeOf(crowd.getVersion())));
        return outcomes.filter(outcome => outcome === 'fine').length;
      },
      options: { pool: { maxPending: 2 } },
      expected: 2,
      without: 3,
    },
    'pool.maxLeases': {
      see: async ({ pool }) => {
        const stub = await startStub();
        const holder = pooledClient(stub.address, { pool });
        await holder.pool.acquire({ timeoutMs: 20_000 });
        return outcomeOf(holder.pool.acquire({ timeoutMs: pool ? 100 : 20_000 }));
      },
      options: { pool: { maxLeases: 1 } },
      expected: 'MILVUS_POOL_EXHAUSTED',
      without: 'fine',
    },
    'pool.idleTimeoutMs': {
      see: async ({ pool }) => {
        const stub = await startStub();
        stub.always('GetVersion', delay(200));
        const crowd = pooledClient(stub.address, { pool: { maxConnections: 2, ...pool } });
        await Promise.all(times(20, () => crowd.getVersion()));
        await stub.waitFor(s => s.connectionsEver >= 2);
        return stub
          .waitFor(s => s.connectionsOpen === 1, pool ? 20_000 : 500)
          .then(
            () => 'closes one',
            () => 'keeps both',
          );
      },
      options: { pool: { idleTimeoutMs: 100 } },
      expected: 'closes one',
      without: 'keeps both',
    },
    'pool.maxLifetimeMs': {
      see: async ({ pool }) => {
        const stub = await startStub();
        await pooledClient(stub.address, { pool }).getVersion();
        return stub
          .waitFor(s => s.connectionsEver > 2, pool ? 20_000 : 500)
          .then(
            () => 'replaces it',
            () => 'keeps it',
          );
      },
      options: { pool: { maxLifetimeMs: 100 } },
      expected: 'replaces it',
      without: 'keeps it',
    },
    'pool.validateAfterIdleMs': {
      see: async options => {
        const stub = await startStub();
        const caller = pooledClient(stub.address, options);
        await caller.getVersion();
        await caller.getVersion();
        return stub.pings > 0;
      },
      options: { pool: { validateAfterIdleMs: 0 } },
      expected: true,
      without: false,
    },
    'pool.connectTimeoutMs': {
      see: async ({ pool }) => {
        const proxy = await behindProxy();
        proxy.blackholeNew();
        const error = await failureOf(
          pooledClient(proxy.address, { pool, timeouts: { readMs: 1_000 } }).getVersion(),
        );
        return /did not say anything .*\(100 ms\)/.test(error.message);
      },
      options: { pool: { connectTimeoutMs: 100 } },
      expected: true,
      without: false,
    },
    ...Object.fromEntries(
      (['intervalMs', 'timeoutMs'] as const).map(name => [
        `pool.keepalive.${name}`,
        {
          // With calls in flight, and nothing heard of the server: it is dead when both have passed.
          see: async ({ pool }: Options) => {
            const proxy = await behindProxy();
            const keepalive = { intervalMs: 50, timeoutMs: 50, ...pool?.keepalive };
            const caller = pooledClient(proxy.address, {
              pool: { keepalive },
              timeouts: { readMs: 1_000 },
              retry: false,
            });
            await caller.ping({ timeoutMs: 10_000 });
            proxy.pause();
            return outcomeOf(caller.getVersion());
          },
          options: { pool: { keepalive: { [name]: 60_000 } } },
          expected: expired,
          without: 'MILVUS_UNAVAILABLE',
        },
      ]),
    ),
    'pool.keepalive.withoutCalls': {
      see: async ({ pool }) => {
        const stub = await startStub();
        const keepalive = { intervalMs: 50, timeoutMs: 50, ...pool?.keepalive };
        await pooledClient(stub.address, { pool: { keepalive } }).getVersion();
        return stub
          .waitFor(s => s.pings > 1, 500)
          .then(
            () => 'asks',
            () => 'is silent',
          );
      },
      options: { pool: { keepalive: { withoutCalls: true } } },
      expected: 'asks',
      without: 'is silent',
    },
    'pool.maxReceiveBytes': {
      see: async options => outcomeOf(pooledClient((await startStub()).address, options).getVersion()),
      options: { pool: { maxReceiveBytes: 4 } },
      expected: 'MILVUS_CONNECTION',
      without: 'fine',
    },
    'timeouts.readMs': {
      see: options => hangs(client => client.query({ collection_name: 'c', filter: 'id > 0' }), options),
      options: { timeouts: { readMs: 150 } },
      expected: expired,
      without: 'goes on',
    },
    'timeouts.writeMs': {
      see: options => hangs(client => client.insert(rows), options),
      options: { timeouts: { writeMs: 150 } },
      expected: expired,
      without: 'goes on',
    },
    'timeouts.adminMs': {
      see: options => hangs(client => client.dropCollection({ collection_name: 'c' }), options),
      options: { timeouts: { adminMs: 150 } },
      expected: expired,
      without: 'goes on',
    },
    'timeouts.waitMs': {
      see: options => hangs(client => client.loadCollection({ collection_name: 'c' }), options),
      options: { timeouts: { waitMs: 150 } },
      expected: expired,
      without: 'goes on',
    },
    'startup.mode': {
      see: async options => {
        const stub = await startStub();
        await bootApp({ imports: [MilvusModule.forRoot({ address: stub.address, ...options })] });
        return stub.count('Connect');
      },
      options: { startup: { mode: 'lazy' } },
      expected: 0,
      without: 1,
    },
    'startup.timeoutMs': {
      see: async ({ startup }) => {
        const address = `127.0.0.1:${await freePort()}`;
        const app = await compileApp({ imports: [MilvusModule.forRoot({ address, startup })] });
        // Nest closes nothing while it starts; this ends what it waits for.
        undo.push(() => app.get<PooledMilvusClient>(getMilvusToken()).drain({ timeoutMs: 0 }));
        const booted = durationOf(app.init()).then(() => 'gives up');
        return startup ? booted : Promise.race([booted, after(600, 'tries on')]);
      },
      options: { startup: { timeoutMs: 200 } },
      expected: 'gives up',
      without: 'tries on',
    },
    'shutdown.drainTimeoutMs': {
      see: async options => {
        const stub = await startStub();
        const app = await bootApp({ imports: [MilvusModule.forRoot({ address: stub.address, ...options })] });
        stub.next('GetVersion', delay(600));
        const call = quietly(app.get<PooledMilvusClient>(getMilvusToken()).getVersion());
        await stub.waitFor(s => s.inFlight === 1);
        await app.close();
        return outcomeOf(call);
      },
      options: { shutdown: { drainTimeoutMs: 100 } },
      expected: 'MILVUS_CLOSED',
      without: 'fine',
    },
    leakDetection: {
      see: ({ leakDetection = { thresholdMs: 100 } }) => leakSeen({ leakDetection }),
      options: { leakDetection: false },
      expected: 'nothing',
      without: 'lease-leaked',
    },
    'leakDetection.thresholdMs': {
      see: leakSeen,
      options: { leakDetection: { thresholdMs: 100 } },
      expected: 'lease-leaked',
      without: 'nothing',
    },
    'leakDetection.maxHeld': {
      see: leakSeen,
      options: { leakDetection: { maxHeld: 1 } },
      expected: 'too-many-leases',
      without: 'nothing',
    },
    ...retryProofs(startStub),
    ...circuitProofs(startStub),
    'health.timeoutMs': {
      see: async options => {
        const stub = await startStub();
        const client = pooledClient(stub.address, options);
        await client.ping({ timeoutMs: 10_000 });
        stub.always('CheckHealth', delay(500));
        return client.isAvailable();
      },
      options: { health: { timeoutMs: 100 } },
      expected: false,
      without: true,
    },
  };
};

const names = [
  'address',
  ...['leakDetection', 'leakDetection.maxHeld', 'retry', 'retryBudget', 'health'],
  ...['circuitBreaker', 'circuitBreaker.failureRate'],
  ...['ca', 'rootCertPath', 'rootCert', 'rejectUnauthorized', 'skipCertCheck', 'serverName'].map(
    name => `tls.${name}`,
  ),
  ...['cert', 'key', 'certChainPath', 'privateKeyPath', 'certChain', 'privateKey'].map(name => `tls.${name}`),
  ...['ssl', 'token', 'username', 'password', 'credentials'],
  ...pathsOf(optionDefaults),
  ...pathsOf(failureRateDefaults, 'circuitBreaker.failureRate.'),
];

describe('each option', () => {
  it('is proved to change something', () => {
    expect(Object.keys(proofs()).sort()).toEqual([...names].sort());
  });

  it.each(names)('%s', async name => {
    const { see, options, expected, without } = proofs()[name]!;

    expect(await see(options)).toEqual(expected);
    expect(await see({})).toEqual(without);
  });
});

function pathsOf(value: object, path = ''): string[] {
  return Object.entries(value).flatMap(([key, each]) =>
    typeof each === 'object' ? pathsOf(each, `${path}${key}.`) : [`${path}${key}`],
  );
}

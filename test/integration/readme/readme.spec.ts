import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type INestApplication, Module } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node';
import { getMilvusToken, HttpDrain, MilvusRegistry, type PooledMilvusClient } from '../../../lib/index.js';
import { optionDefaults } from '../../../lib/options/defaults.js';
import { MilvusLite } from '../../../lib/testing/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { closeClients, eventuallyResolves, pooledClient } from '../../support/pooled-client.js';
import { codeBesideRegions, snippetsOf } from '../../support/snippets.js';
import { StubServer } from '../../support/stub-server.js';

const root = join(import.meta.dirname, '../../..');
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const here = import.meta.dirname;

describe('README', () => {
  const snippets = snippetsOf(readme);

  it('shows only code that is run', () => {
    const code = codeBesideRegions(readme, here);
    expect(code.length).toBeGreaterThan(5);
    for (const [{ name, text }, runs] of code) expect([name, text]).toEqual([name, runs]);
  });

  it.each([
    ['jest-esm', 'esm-nest12'],
    ['jest-commonjs', 'commonjs-nest11'],
  ])('shows the jest configuration (%s) that the package check runs in %s', (name, app) => {
    const shown = snippets.find(snippet => snippet.name === name);
    const { jest } = JSON.parse(
      readFileSync(join(root, 'scripts/package-check', app, 'package.json'), 'utf8'),
    );
    expect(jest).toMatchObject(JSON.parse(shown?.text ?? 'null'));
  });

  it('names only commands that exist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const commands = snippets
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text!.split('\n'));
    const names = commands.flatMap(command => [...command.matchAll(/npm run (\S+)/g)].map(match => match[1]));
    expect(names).toContain('demo');
    for (const name of names) expect(Object.keys(scripts)).toContain(name);
    expect(commands).toContain('npm test');
  });

  it('lists every option with its default', () => {
    const rows = new Map(
      [...readme.matchAll(/^\| `([\w.]+)` \| ([^|]+) \|/gm)].map(([, option, value]) => [
        option,
        value!.trim(),
      ]),
    );
    for (const [option, value] of Object.entries(flatten(optionDefaults))) {
      expect([option, rows.get(option)]).toEqual([option, `\`${String(value)}\``]);
    }
  });
});

describe('its examples', () => {
  let milvus: MilvusLite;
  const apps: INestApplication[] = [];
  const collection_name = 'documents';
  const vector = [1, 0, 0, 0];

  beforeAll(async () => {
    milvus = await MilvusLite.start();
    process.env.MILVUS_ADDRESS = milvus.address;
    process.env.PORT = '0';
  }, 300_000);

  afterAll(async () => {
    await Promise.all(apps.map(app => app.close()));
    await milvus?.stop();
  });

  it('quick start: serves a search', async () => {
    const { app } = await import('./quick-start.js');
    apps.push(app);
    const client = app.get<PooledMilvusClient>(getMilvusToken());
    await client.createCollection({
      collection_name,
      dimension: 4,
      index_params: { index_type: 'AUTOINDEX', metric_type: 'COSINE' },
    });
    await client.insert({ collection_name, data: [{ id: 1, vector, title: 'the first' }] });
    const answer = await fetch(`${await app.getUrl()}/search?vector=${JSON.stringify(vector)}`);
    expect(await answer.json()).toMatchObject([{ title: 'the first' }]);
  });

  it('several clients, and options from a class', async () => {
    const { Documents, milvus: clients } = await import('./several-clients.js');
    const { archive: archiveClient } = await import('./options-class.js');

    @Module({
      imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), clients, archiveClient],
      providers: [Documents],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, { abortOnError: false });
    apps.push(await app.init());
    const { ingest, search } = app.get(Documents);
    const archive = app.get<PooledMilvusClient>(getMilvusToken('archive'));
    expect([ingest.name, search.name, archive.name]).toEqual(['ingest', 'search', 'archive']);
    for (const client of [ingest, search, archive]) {
      expect(await client.isAvailable({ timeoutMs: 20_000 })).toBe(true);
    }
    expect(ingest.pool.stats().connections.max).toBe(2);
  });

  it('health', async () => {
    const { HealthModule } = await import('./health.js');
    const app = await NestFactory.create(HealthModule, { abortOnError: false });
    await app.listen(0);
    apps.push(app);
    for (const path of ['live', 'ready', 'details']) {
      // Its checks have a second: a machine that stalls keeps the next one.
      await eventuallyResolves(async () => {
        const answer = await fetch(`${await app.getUrl()}/health/${path}`);
        expect([path, answer.status]).toEqual([path, 200]);
      });
    }
  });

  it('HTTP drain', async () => {
    const { main } = await import('./http-drain.js');
    const app = await main();
    apps.push(app);
    const connection = async () => (await fetch(`${await app.getUrl()}/nowhere`)).headers.get('connection');
    expect(await connection()).toBe('keep-alive');
    app.get(HttpDrain).onModuleDestroy();
    expect(await connection()).toBe('close');
  });

  it('tenants', async () => {
    const { Tenants } = await import('./tenants.js');
    const { MilvusModule } = await import('../../../lib/index.js');

    @Module({
      imports: [
        ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }),
        MilvusModule.forRoot({ address: process.env.MILVUS_ADDRESS! }),
      ],
      providers: [Tenants],
    })
    class AppModule {}

    const app = await NestFactory.create(AppModule, { abortOnError: false });
    apps.push(await app.init());
    const tenants = app.get(Tenants);
    await app.get<PooledMilvusClient>(getMilvusToken()).createDatabase({ db_name: 'acme' });
    const collections = async (client: PooledMilvusClient) => (await client.showCollections()).data.length;
    const named = await tenants.named('acme', 'hush-token-of-acme');
    const noisy = await tenants.noisy('acme');
    for (const client of [tenants.of('acme'), named, noisy]) expect(await collections(client)).toBe(0);
    expect(await collections(tenants.of('default'))).toBe(1);
    const { endpoints } = app.get(MilvusRegistry).stats();
    expect(endpoints.map(({ clients }) => clients)).toEqual([['default', 'acme'], ['noisy-acme']]);

    await tenants.forget('acme');
    await expect(named.showCollections()).rejects.toMatchObject({ code: 'MILVUS_CLOSED' });
    expect(await collections(tenants.of('acme'))).toBe(0);
  });

  it('credentials that change', async () => {
    const { milvus: clients, onSecretChanged, Secrets } = await import('./credentials.js');

    @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), clients] })
    class AppModule {}

    const stub = await StubServer.start();
    const address = process.env.MILVUS_ADDRESS;
    process.env.MILVUS_ADDRESS = stub.address;
    const app = await NestFactory.create(AppModule, { abortOnError: false });
    await app.init();
    process.env.MILVUS_ADDRESS = address;
    app.get(Secrets, { strict: false }).password = 'hush-hush-second';
    await onSecretChanged(app.get(MilvusRegistry));
    await app.get<PooledMilvusClient>(getMilvusToken()).showCollections();
    const sent = (rpc: string) => stub.calls(rpc).at(-1)?.metadata['authorization'];
    expect(sent('Connect')).toBe(btoa('search:hush-hush-first'));
    expect(sent('ShowCollections')).toBe(btoa('search:hush-hush-second'));
    await app.close();
    await stub.stop();
  });

  it('options from the environment', async () => {
    const { fromEnvironment } = await import('./environment.js');

    @Module({ imports: [ConfigModule.forRoot({ isGlobal: true, ignoreEnvFile: true }), fromEnvironment] })
    class AppModule {}

    const settings = { MILVUS_MAX_CONNECTIONS: '7', MILVUS_STARTUP: 'lazy' };
    Object.assign(process.env, settings);
    const app = await NestFactory.create(AppModule, { abortOnError: false });
    apps.push(await app.init());
    for (const name of Object.keys(settings)) delete process.env[name];
    const client = app.get<PooledMilvusClient>(getMilvusToken());
    expect(client.pool.stats()).toMatchObject({ created: 0, connections: { max: 7 } });
    expect(await client.isAvailable({ timeoutMs: 20_000 })).toBe(true);
  });

  it('a worker without HTTP', async () => {
    const { main } = await import('./worker.js');
    expect(await main()).toBe(1);
  });

  it('calls with limits of their own, and page by page', async () => {
    const { idsOf, similar } = await import('./calls.js');
    const client = apps[0]!.get<PooledMilvusClient>(getMilvusToken());
    const { signal } = new AbortController();
    // It gives up after half a second, which is short for a machine that stalls.
    expect(await eventuallyResolves(() => similar(client, 'default', vector, signal))).toMatchObject([
      { title: 'the first' },
    ]);
    await eventuallyResolves(() =>
      expect(similar(client, 'nowhere', vector, signal)).rejects.toMatchObject({ code: 'MILVUS_SERVER' }),
    );
    await expect(similar(client, 'default', vector, AbortSignal.abort())).rejects.toMatchObject({
      code: 'MILVUS_ABORTED',
    });
    expect(await idsOf(client)).toEqual(['1']);
  });

  it('the pool', async () => {
    const { figures, load, watch } = await import('./pool.js');
    const client = apps[0]!.get<PooledMilvusClient>(getMilvusToken());
    const told: string[] = [];
    const watching = watch(client, what => told.push(what));
    await load(client, [[{ id: 2, vector: [0, 1, 0, 0] }], [{ id: 3, vector: [0, 0, 1, 0] }]]);
    watching.unsubscribe();
    expect(told).toEqual([]);
    expect(figures(client)).toMatchObject({ inFlight: 0, pending: 0, acquireTimeouts: 0 });
    expect(figures(client).use).toBeGreaterThan(0);
    expect((await client.count({ collection_name })).data).toBe(3);
  });

  it('retries: what may be done twice, and what may not', async () => {
    const { append, put, replaceAll } = await import('./retries.js');
    const client = apps[0]!.get<PooledMilvusClient>(getMilvusToken());
    const ids = async () => {
      const { data } = await client.query({
        collection_name,
        filter: 'id >= 10',
        output_fields: ['id'],
        consistency_level: ConsistencyLevelEnum.Strong,
      });
      return data.map(({ id }) => Number(id)).sort();
    };
    const row = (id: number) => ({ id, vector });

    await put(client, [row(10)]);
    await append(client, [row(11)], () => {});
    expect(await ids()).toEqual([10, 11]);

    // They are stored, and the answer is lost.
    const proxy = await FaultProxy.start({ target: milvus.address });
    const behind = pooledClient(proxy.address);
    await behind.describeCollection({ collection_name, cache: true });
    proxy.pause('toClient');
    const doubtful: unknown[] = [];
    const appending = append(behind, [row(12), row(13)], rows => doubtful.push(rows));
    await eventuallyResolves(async () => expect(await ids()).toEqual([10, 11, 12, 13]));
    proxy.reset();
    proxy.resume();
    await appending;
    expect(doubtful).toEqual([[row(12), row(13)]]);
    expect(await ids()).toEqual([10, 11, 12, 13]);
    await closeClients();
    await proxy.stop();

    // Two seconds are short for a machine that stalls.
    await eventuallyResolves(async () => expect(await replaceAll(client, 'id >= 10', [row(14)])).toBe(1));
    expect(await ids()).toEqual([14]);
    await client.delete({ collection_name, ids: [14] });
  });

  it('fallback', async () => {
    const { titles } = await import('./fallback.js');
    const client = apps[0]!.get<PooledMilvusClient>(getMilvusToken());
    expect(await eventuallyResolves(() => titles(client, vector))).toEqual(['the first']);
    await expect(titles(client, undefined as never)).rejects.toThrow();
  });

  it('a fake instead of Milvus', async () => {
    const { withFakeMilvus } = await import('./fake.js');
    const { HealthModule } = await import('./health.js');
    const search = async () => ({ results: [] });
    const module = await withFakeMilvus(HealthModule, search);
    await module.init();
    expect(module.get(getMilvusToken())).toEqual({ search });
    await module.close();
  });

  it('needs no Milvus for the fake', async () => {
    // The same module without the override does not start when nobody listens at its address.
    process.env.MILVUS_ADDRESS = '127.0.0.1:1';
    const { MilvusModule } = await import('../../../lib/index.js');
    const module = await Test.createTestingModule({
      imports: [MilvusModule.forRoot({ address: '127.0.0.1:1', startup: { timeoutMs: 300 } })],
    }).compile();
    await expect(module.init()).rejects.toThrow('127.0.0.1:1');
  });
});

function flatten(value: object, path = ''): Record<string, unknown> {
  return Object.assign(
    {},
    ...Object.entries(value).map(([key, each]) =>
      typeof each === 'object' && each !== null
        ? flatten(each, `${path}${key}.`)
        : { [`${path}${key}`]: each },
    ),
  );
}

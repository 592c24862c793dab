import { AsyncResource } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { getMilvusToken, InjectMilvus, MilvusModule, PooledMilvusClient } from '../../../lib/index.js';
import { bootApp, closeApps } from '../../support/nest-app.js';
import { gate, times } from '../../support/pooled-client.js';
import { StubServer } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  const app = await bootApp({ imports: [MilvusModule.forRoot({ address: stub.address, database: 'home' })] });
  client = app.get(getMilvusToken());
  stub.resetCounts();
});

afterEach(async () => {
  await closeApps();
  await stub.stop();
});

/** As a request is handled: in an asynchronous context that begins outside of everybody else's. */
const request = <T>(work: () => Promise<T>): Promise<T> => new AsyncResource('REQUEST').runInAsyncScope(work);

const databases = () => stub.received.map(({ metadata }) => metadata['dbname']);

describe('use() on a client that all share', () => {
  it('holds for the request that calls it, and for nobody else', async () => {
    const { opened, open } = gate();
    const switching = request(async () => {
      await client.use({ db_name: 'tenant' });
      open();
      await client.getVersion();
    });
    const other = request(async () => {
      await opened;
      await client.getVersion();
    });
    await Promise.all([switching, other]);
    await client.getVersion();

    expect(databases().sort()).toEqual(['home', 'home', 'tenant']);
  });

  it('holds for everything that the request starts', async () => {
    await request(async () => {
      await client.useDatabase({ db_name: 'tenant' });
      await Promise.all(times(3, async () => client.with({ timeoutMs: 1_000 }).getVersion()));
    });

    expect(databases()).toEqual(['tenant', 'tenant', 'tenant']);
  });

  it('holds from the next line on, awaited or not', async () => {
    await request(async () => {
      const calls = [client.getVersion(), client.getVersion()];
      void client.use({ db_name: 'db2' });
      calls.push(client.getVersion());
      void client.use();
      calls.push(client.getVersion());
      await Promise.all(calls);
    });

    expect(databases().sort()).toEqual(['db2', 'default', 'home', 'home']);
  });

  it('holds for one client, not for another', async () => {
    const app = await bootApp({ imports: [MilvusModule.forRoot({ address: stub.address, database: 'b' })] });
    const b = app.get<PooledMilvusClient>(getMilvusToken());
    stub.resetCounts();
    await request(async () => {
      await client.use({ db_name: 'a2' });
      await b.getVersion();
      await b.use({ db_name: 'b2' });
      await client.getVersion();
      await b.getVersion();
    });

    expect(databases()).toEqual(['b', 'a2', 'b2']);
  });
});

describe('use() while the application boots', () => {
  it('sets the database of the client, as with the plain SDK', async () => {
    @Injectable()
    class Setup {
      constructor(@InjectMilvus('books') private readonly books: PooledMilvusClient) {}

      async onModuleInit() {
        await this.books.use({ db_name: 'library' });
      }
    }
    const app = await bootApp({
      imports: [MilvusModule.forRoot({ name: 'books', address: stub.address })],
      providers: [Setup],
    });
    stub.resetCounts();
    await request(() => app.get<PooledMilvusClient>(getMilvusToken('books')).getVersion());

    expect(databases()).toEqual(['library']);
  });
});

describe('use() on a derived client', () => {
  it('holds for that client, wherever it is used', async () => {
    const mine = client.with({ timeoutMs: 1_000 });
    const yours = client.with({ database: 'yours' });
    await request(() => mine.use({ db_name: 'mine' }).then(() => {}));
    await request(() => mine.getVersion());
    await request(() => yours.getVersion());
    await request(() => client.getVersion());
    await request(() => mine.with({ errors: 'status' }).getVersion());

    expect(databases()).toEqual(['mine', 'yours', 'home', 'mine']);
  });
});

describe('with({ database }) and db_name', () => {
  it('beat use(), each for its own calls', async () => {
    await request(async () => {
      await client.use({ db_name: 'used' });
      await client.with({ database: 'derived' }).listCollections();
      await client.listCollections({ db_name: 'asked' });
      await client.listCollections();
    });

    const seen = stub.received.map(({ metadata, request: { db_name } }) => [metadata['dbname'], db_name]);
    expect(seen).toEqual([
      ['derived', ''],
      ['asked', 'asked'],
      ['used', ''],
    ]);
  });

  it('hold for RPCs too that the SDK forgets to tell of them', async () => {
    await client.createCollection({
      collection_name: 'c',
      db_name: 'asked',
      fields: [
        { name: 'id', data_type: 5, is_primary_key: true },
        { name: 'v', data_type: 101, dim: 4 },
      ],
      index_params: [{ field_name: 'v', index_type: 'FLAT', metric_type: 'L2' }],
    });

    expect(stub.received.map(({ rpc }) => rpc)).toContain('CreateIndex');
    expect(new Set(databases())).toEqual(new Set(['asked']));
  });

  it('of a request about a database are not where the call goes', async () => {
    await client.createDatabase({ db_name: 'new' });

    expect(databases()).toEqual(['home']);
  });
});

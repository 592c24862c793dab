import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import {
  getMilvusToken,
  InjectMilvus,
  MilvusConfigurationError,
  MilvusModule,
  PooledMilvusClient,
} from '../../../lib/index.js';
import { bootApp, closeApps } from '../../support/nest-app.js';
import { failureOf } from '../../support/pooled-client.js';
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

const databases = () => stub.received.map(({ metadata }) => metadata['dbname']);

describe('use() on a client that all share', () => {
  it.each(['use', 'useDatabase'] as const)(
    'is refused, with what to do instead, and reaches nobody (%s)',
    async method => {
      const error = await failureOf(client[method]({ db_name: 'tenant' }));
      await client.getVersion();

      expect(error).toBeInstanceOf(MilvusConfigurationError);
      expect(error).toMatchObject({ client: 'default', method: 'use' });
      expect(error.message).toMatch(/all who share this client\. Use `with\(\{ database \}\)`, or `db_name`/);
      expect(databases()).toEqual(['home']);
    },
  );
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
    await app.get<PooledMilvusClient>(getMilvusToken('books')).getVersion();

    expect(databases()).toEqual(['library']);
  });
});

describe('use() on a derived client', () => {
  it('holds for that client, and for those derived from it later', async () => {
    const mine = client.with({ timeoutMs: 10_000 });
    const before = mine.with({});
    const yours = client.with({ database: 'yours' });
    await mine.use({ db_name: 'mine' });
    for (const each of [mine, before, yours, client, mine.with({ errors: 'status' })])
      await each.getVersion();

    expect(databases()).toEqual(['mine', 'home', 'yours', 'home', 'mine']);
  });

  it('holds from the next call on, awaited or not', async () => {
    const mine = client.with({});
    const calls = [mine.getVersion(), mine.getVersion()];
    void mine.use({ db_name: 'db2' });
    calls.push(mine.getVersion());
    void mine.use();
    calls.push(mine.getVersion());
    await Promise.all(calls);

    expect(databases().sort()).toEqual(['db2', 'default', 'home', 'home']);
  });
});

describe('with({ database }) and db_name', () => {
  it('hold for their own calls', async () => {
    const derived = client.with({ database: 'derived' });
    const describe = { collection_name: 'c' };
    await derived.describeCollection(describe);
    await derived.describeCollection({ ...describe, db_name: 'asked' });
    await client.describeCollection({ ...describe, db_name: 'asked' });
    await client.describeCollection(describe);
    // No collection, no place: Milvus reads it in the request.
    await client.listCollections({ db_name: 'asked' });

    const seen = stub.received.map(({ metadata, request: { db_name } }) => [metadata['dbname'], db_name]);
    expect(seen).toEqual([
      ['derived', ''],
      ['asked', 'asked'],
      ['asked', 'asked'],
      ['home', ''],
      ['home', 'asked'],
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

  it('of a request about a database or a privilege are not where the call goes', async () => {
    await client.createDatabase({ db_name: 'new' });
    await client.grantPrivilegeV2({ role: 'r', privilege: 'Query', db_name: '*', collection_name: 'c' });
    await client.listGrants({ roleName: 'r', db_name: 'other' } as never);

    expect(databases()).toEqual(['home', 'home', 'home']);
  });
});

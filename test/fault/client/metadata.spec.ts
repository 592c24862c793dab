import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeClients, failureOf, gate, pooledClient, times } from '../../support/pooled-client.js';
import { answer, failure, StubServer, until } from '../../support/stub-server.js';

const base64 = (text: string) => Buffer.from(text, 'utf8').toString('base64');
const rows = () => ({ collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] });

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('what each call carries', () => {
  it.each([
    ['user and password', { username: 'root', password: 'Milvus' }, base64('root:Milvus')],
    ['an empty password', { username: 'root', password: '' }, base64('root:')],
    ['a token', { token: 'db_admin:x/y+z' }, base64('db_admin:x/y+z')],
    ['a password beyond ASCII', { username: 'root', password: 'pässwörd' }, base64('root:pässwörd')],
  ])('is %s', async (_what, credentials, authorization) => {
    await pooledClient(stub.address, credentials).getVersion();

    expect(stub.received[0]?.metadata['authorization']).toBe(authorization);
  });

  it('is nothing of the kind without credentials', async () => {
    await pooledClient(stub.address).getVersion();

    expect(stub.received[0]?.metadata).not.toHaveProperty('authorization');
    expect(stub.received[0]?.metadata).toMatchObject({ dbname: 'default' });
  });

  it('is the database, and the time it was sent at', async () => {
    await pooledClient(stub.address, { database: 'books' }).getVersion();

    expect(stub.received[0]?.metadata['dbname']).toBe('books');
    const sentAt = Number(stub.received[0]?.metadata['client-request-unixmsec']);
    expect(Math.abs(Date.now() - sentAt)).toBeLessThan(60_000);
  });

  it.each(['client_request_id', 'client-request-id'])("is the request's own %s", async key => {
    const client = pooledClient(stub.address);
    await client.describeCollection({ collection_name: 'c', [key]: 'trace-1' } as never);
    await client.describeCollection({ collection_name: 'c' });

    const ids = stub.calls('DescribeCollection').map(({ metadata }) => metadata['client-request-id']);
    expect(ids).toEqual(['trace-1', undefined]);
  });

  it('comes with every RPC of a call', async () => {
    await pooledClient(stub.address, { token: 't', database: 'books' }).insert(rows());

    const seen = stub.received.map(({ rpc, metadata }) => [
      rpc,
      metadata['authorization'],
      metadata['dbname'],
    ]);
    expect(seen).toEqual([
      ['DescribeCollection', base64('t'), 'books'],
      ['Insert', base64('t'), 'books'],
    ]);
  });
});

describe('a database that no header can hold', () => {
  it("is the caller's fault, not an outage", async () => {
    const client = pooledClient(stub.address, { name: 'search' });

    const error = await failureOf(client.use({ db_name: 'bücher' }));

    expect(error).toMatchObject({ client: 'search', method: 'use', code: 'MILVUS_CONFIGURATION' });
    expect(error.message).toContain('`database` must be');
    expect(stub.count()).toBe(0);
  });
});

describe('two clients of one server', () => {
  it('never mix credentials and databases, however concurrent', async () => {
    stub.delayMs = 5;
    const a = pooledClient(stub.address, { name: 'a', token: 'a', database: 'a' });
    const b = pooledClient(stub.address, { name: 'b', token: 'b', database: 'b' });

    await Promise.all(
      times(100, index => {
        const [client, name] = index % 2 === 0 ? [a, 'a'] : [b, 'b'];
        return client.insert({ ...rows(), collection_name: name });
      }),
    );

    const mixed = stub.received.filter(({ request, metadata }) => {
      const name = request['collection_name'] as string;
      return metadata['authorization'] !== base64(name) || metadata['dbname'] !== name;
    });
    expect(mixed).toEqual([]);
    expect(stub.count('Insert')).toBe(100);
  });
});

describe('use()', () => {
  it.each(['use', 'useDatabase'] as const)('sets the database of later calls (%s)', async method => {
    const client = pooledClient(stub.address);
    await client.getVersion();
    await client[method]({ db_name: 'books' });
    await client.getVersion();

    expect(stub.received.map(({ metadata }) => metadata['dbname'])).toEqual(['default', 'books']);
  });

  it('does not reach a call that has begun, nor its later RPCs', async () => {
    const { opened, open } = gate();
    stub.next('DescribeCollection', until(opened));
    const client = pooledClient(stub.address, { database: 'db1' });

    const insert = client.insert(rows());
    await stub.waitFor(s => s.count() === 1);
    await client.use({ db_name: 'db2' });
    open();
    await insert;
    await client.insert(rows());

    const seen = stub.received.map(({ rpc, metadata }) => `${rpc} ${metadata['dbname']}`);
    expect(seen).toEqual(['DescribeCollection db1', 'Insert db1', 'DescribeCollection db2', 'Insert db2']);
  });

  // The SDK caches descriptions by database and collection, and reads the database anew for each of them.
  it("does not file one database's schema under the other's name", async () => {
    const { opened, open } = gate();
    const client = pooledClient(stub.address, { database: 'db1' });
    stub.next('Insert', until(opened, answer({ status: failure(1, 'SchemaMismatch') })));

    const insert = client.insert(rows());
    await stub.waitFor(s => s.count('Insert') === 1);
    await client.use({ db_name: 'db2' });
    open();
    await insert;
    stub.resetCounts();
    await client.insert(rows());

    const seen = stub.received.map(({ rpc, metadata }) => `${rpc} ${metadata['dbname']}`);
    expect(seen).toEqual(['DescribeCollection db2', 'Insert db2']);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import {
  answer,
  type Behaviour,
  destroySession,
  executing,
  failure,
  goaway,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { QUICK } from './cells.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { pool: { maxConnections: 1 }, retry: QUICK, retryBudget: false });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const refusal = (...args: Parameters<typeof failure>) =>
  answer({ ...failure(...args), status: failure(...args) });

const databaseExists = refusal(65_535, 'UnexpectedError', 'database already exist: d');
const createDatabase = () => client.createDatabase({ db_name: 'd' });

/** What its method makes, and how Milvus says that it is there. */
const creators: [string, string, () => Promise<object>, Behaviour][] = [
  ['createDatabase', 'CreateDatabase', createDatabase, databaseExists],
  [
    'createResourceGroup',
    'CreateResourceGroup',
    () => client.createResourceGroup({ resource_group: 'g' }),
    refusal(301, 'ResourceGroupAlreadyExist', 'resource group g'),
  ],
];

describe.each(creators)('%s', (_method, rpc, create, exists) => {
  it('that was executed, and whose answer was lost, has succeeded when it is there', async () => {
    stub.next(rpc, executing(destroySession()));
    stub.next(rpc, exists);

    expect(await create()).toMatchObject({ code: 0, error_code: 'Success' });
    expect([stub.count(rpc), stub.executions(rpc)]).toEqual([2, 1]);
    expect(client.pool.stats().sends).toMatchObject({ retries: 1, unknownOutcomes: 0 });
  });

  it('has so too when the attempt between said something else', async () => {
    stub.next(rpc, executing(status(14, 'gone')));
    stub.next(rpc, refusal(2, 'ServiceUnavailable'));
    stub.next(rpc, exists);

    expect(await create()).toMatchObject({ code: 0, error_code: 'Success' });
    expect(stub.count(rpc)).toBe(3);
  });

  it('that finds it there at its first attempt has failed', async () => {
    stub.always(rpc, exists);

    const error = await failureOf(create());
    expect(error).toMatchObject({ name: 'MilvusServerError', attempts: 1 });
    expect(error).not.toHaveProperty('outcomeUnknown');
    expect(stub.count(rpc)).toBe(1);
  });

  it.each([
    ['not looked at', goaway(0, 'below')],
    ['refused', refusal(2, 'ServiceUnavailable')],
  ])('whose first attempt was %s did not make what it finds there', async (_what, first) => {
    stub.next(rpc, first);
    stub.always(rpc, exists);

    expect(await failureOf(create())).toMatchObject({ name: 'MilvusServerError', attempts: 2 });
    expect(stub.count(rpc)).toBe(2);
  });

  it('is not sent again with retry: false, and nobody knows', async () => {
    stub.next(rpc, executing(destroySession()));
    client = client.with({ retry: false });

    expect(await failureOf(create())).toMatchObject({ attempts: 1, outcomeUnknown: true });
    expect(stub.count(rpc)).toBe(1);
  });
});

describe('what is there after an attempt whose fate is unknown', () => {
  it('is an error still where a repeat gives another answer by itself', async () => {
    stub.next('CreateIndex', executing(destroySession()));
    stub.always('CreateIndex', refusal(65_535, 'UnexpectedError', 'index already exist'));
    const create = client.createIndex({ collection_name: 'c', field_name: 'vector' });

    expect(await failureOf(create)).toMatchObject({
      name: 'MilvusServerError',
      attempts: 2,
      outcomeUnknown: true,
    });
  });

  it('is an error still for what is sent once, whatever its caller knows', async () => {
    stub.next('CreateRole', executing(destroySession()));
    stub.always('CreateRole', refusal(65_535, 'UnexpectedError', 'role already exist'));
    const create = client.with({ idempotent: true }).createRole({ roleName: 'r' });

    expect(await failureOf(create)).toMatchObject({ name: 'MilvusServerError', outcomeUnknown: true });
  });
});

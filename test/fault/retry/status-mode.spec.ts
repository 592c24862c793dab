import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { MilvusError } from '../../../lib/index.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import {
  answer,
  type Behaviour,
  destroySession,
  executing,
  failure,
  goaway,
  rst,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { QUICK } from './cells.js';
import { type Column, subjects } from './subjects.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, {
    pool: { maxConnections: 1 },
    retry: QUICK,
    retryBudget: false,
    errors: 'status',
  });
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const refusal = (...args: Parameters<typeof failure>) =>
  answer({ ...failure(...args), status: failure(...args) });

/** The SDK makes an error of what it cannot go on with, and hands out the rest. */
async function outcomeOf(call: Promise<unknown>): Promise<Record<string, unknown>> {
  return (await call.then(
    value => (value as { status?: object }).status ?? value,
    error => ({ thrown: error.name, code: error.code }),
  )) as Record<string, unknown>;
}

describe("with errors: 'status'", () => {
  const everywhere = { read: 3, repeatable: 3, once: 1, declared: 3 };

  it.each<[string, Behaviour, Record<Column, number>, object]>([
    ['UNAVAILABLE', status(14), everywhere, { thrown: 'RpcError', code: 14 }],
    [
      'INTERNAL',
      status(13),
      { read: 1, repeatable: 1, once: 1, declared: 1 },
      { thrown: 'RpcError', code: 13 },
    ],
    ['a reset', rst(11), everywhere, { thrown: 'RpcError', code: 8 }],
    [
      'REFUSED_STREAM',
      rst(7),
      { read: 3, repeatable: 3, once: 3, declared: 3 },
      { thrown: 'RpcError', code: 14 },
    ],
    ['Unavailable', refusal(2, 'x'), everywhere, { code: 2 }],
    ['a moving channel', refusal(503, 'x'), { ...everywhere, repeatable: 1 }, { code: 503 }],
  ])(
    'each is sent as often as without, and ends as with the plain SDK: %s',
    async (_name, behaviour, sends, end) => {
      for (const { rpc, column, call } of subjects) {
        stub.resetCounts();
        stub.always(rpc, behaviour);
        const ended = await outcomeOf(call(client));
        // The SDK stumbles over a search that was refused.
        const stumbles = rpc === 'Search' && !('thrown' in end);
        expect([rpc, ended]).toMatchObject([rpc, stumbles ? { thrown: 'TypeError' } : end]);
        expect([rpc, stub.count(rpc)]).toEqual([rpc, sends[column]]);
        stub.behave(rpc);
      }
    },
  );

  it('a success at last is one', async () => {
    stub.next('GetLoadState', refusal(2));
    const { status: answered } = await client.getLoadState({ collection_name: 'c' });
    expect(answered).toMatchObject({ code: 0 });

    stub.next('CreateDatabase', executing(destroySession()));
    stub.next('CreateDatabase', refusal(65_535, 'UnexpectedError', 'database already exist'));
    expect(await client.createDatabase({ db_name: 'd' })).toMatchObject({ code: 0, error_code: 'Success' });
  });

  it('what is lost is no MilvusError, and is not sent again', async () => {
    stub.always('DropCollection', executing(destroySession()));

    const error = await failureOf(client.dropCollection({ collection_name: 'c' }));
    expect(error).not.toBeInstanceOf(MilvusError);
    expect(error).toMatchObject({ code: 14 });
    expect([stub.count('DropCollection'), stub.executions('DropCollection')]).toEqual([1, 1]);
  });

  it('a GOAWAY costs nothing', async () => {
    stub.next('DropCollection', goaway(0, 'below'));
    expect(await client.with({ retry: false }).dropCollection({ collection_name: 'c' })).toMatchObject({
      code: 0,
    });
    expect(stub.count('DropCollection')).toBe(2);
  });
});

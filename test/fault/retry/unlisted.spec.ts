import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { closeClients, pooledClient } from '../../support/pooled-client.js';
import { milvusService, rpcByPath } from '../../support/stub-answers.js';
import {
  type Behaviour,
  destroySession,
  executing,
  rst,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { QUICK } from './cells.js';

const RPC = 'MakeCoffee';
const path = `/milvus.proto.milvus.MilvusService/${RPC}`;
// As an SDK to come would have it: the definition is that of the SDK which server and client share.
milvusService[RPC] = { ...milvusService['DropCollection']!, path };
rpcByPath.set(path, RPC);

type Send = (request: object, options: object, done: (error?: Error) => void) => void;

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

async function send(on: PooledMilvusClient): Promise<unknown> {
  const channel = (await on.channelPool.acquire()) as unknown as Record<string, Send>;
  const options = { deadline: new Date(Date.now() + 60_000) };
  return new Promise(resolve => channel[RPC]!({ collection_name: 'c' }, options, resolve));
}

describe('an RPC that nobody has looked at', () => {
  it.each<[string, Behaviour, number]>([
    ['UNAVAILABLE', status(14), 1],
    ['a lost connection', destroySession(), 1],
    ['a reset', rst(11), 1],
    ['REFUSED_STREAM', rst(7), 3],
  ])('after %s', async (_what, behaviour, sends) => {
    stub.always(RPC, executing(behaviour));
    expect(await send(client)).toMatchObject({ name: 'RpcError' });
    expect(stub.count(RPC)).toBe(sends);

    // Unless its caller has.
    stub.resetCounts();
    stub.behave(RPC);
    stub.next(RPC, executing(behaviour));
    expect(await send(client.with({ idempotent: true }))).toBeNull();
    expect(stub.count(RPC)).toBe(2);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { closeClients, failureOf, pooledClient, SOON_MS } from '../../support/pooled-client.js';
import {
  answer,
  type Behaviour,
  destroySession,
  executing,
  failure,
  goaway,
  hang,
  rst,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { QUICK } from './cells.js';
import { subjects } from './subjects.js';

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

const exists = failure(65_535, 'UnexpectedError', 'already exist');
const call = (rpc: string, on = client) => subjects.find(each => each.rpc === rpc)!.call(on);
const sends = () => client.pool.stats().sends;

describe('pool.stats()', () => {
  it('has as many calls, RPCs and attempts as the server saw', async () => {
    const failures = [status(14), rst(7), rst(11), answer({ ...failure(2), status: failure(2) })];
    let first = 0;
    for (const behaviour of failures) {
      for (const { rpc, call } of subjects) {
        stub.next(rpc, behaviour);
        await call(client).catch(() => {});
        stub.behave(rpc);
        first++;
      }
    }
    // For insert, upsert, delete and search.
    const descriptions = stub.count('DescribeCollection');
    expect(descriptions).toBeGreaterThan(0);
    const { calls, sends } = client.pool.stats();
    expect(calls).toBe(first);
    expect(sends.attempts).toBe(stub.count());
    // createDatabase asks for the version.
    const versions = stub.count('GetVersion') + stub.count('Connect');
    expect(sends.rpcs).toBe(first + descriptions + versions);
    expect(sends.retries).toBe(sends.attempts - sends.rpcs);
    expect(sends).toMatchObject({ reruns: 0, budgetRefusals: 0 });
  });

  it.each<[string, string, Behaviour, number]>([
    ['an insert that is lost', 'Insert', executing(destroySession()), 1],
    ['an insert with an answer that nobody can read', 'Insert', status(13), 1],
    ['a write that is given up', 'CreateIndex', status(14), 1],
    ['a read that is lost', 'Search', destroySession(), 0],
    ['an insert that was refused', 'Insert', answer({ status: failure(2) }), 0],
    ['an insert that was not looked at', 'Insert', rst(7), 0],
    ['a drop that was not looked at', 'DropCollection', goaway(0, 'below'), 0],
  ])('counts outcomes that nobody knows: %s', async (_what, rpc, behaviour, count) => {
    stub.always(rpc, behaviour);
    await failureOf(call(rpc));

    expect(sends()).toMatchObject({ unknownOutcomes: count, attempts: stub.count() });
  });

  it('counts them also where the deadline is the error', async () => {
    stub.always('Insert', executing(hang()));
    await client.describeCollection({ collection_name: 'c' });
    const limited = client.with({ timeoutMs: SOON_MS / 10 });

    expect(await failureOf(call('Insert', limited))).toMatchObject({
      name: 'MilvusDeadlineExceededError',
      outcomeUnknown: true,
    });
    expect(sends()).toMatchObject({ unknownOutcomes: 1 });
  });

  it('counts no outcome that became known', async () => {
    stub.next('CreateDatabase', executing(destroySession()));
    stub.next('CreateDatabase', answer(exists));
    stub.next('CreateIndex', status(14));
    await call('CreateDatabase');
    await call('CreateIndex');

    expect(sends()).toMatchObject({ unknownOutcomes: 0, retries: 2 });
  });

  it('counts no RPC that was not sent', async () => {
    await stub.stop();
    const limited = client.with({ timeoutMs: 100 });
    await failureOf(call('Insert', limited));

    expect(client.pool.stats()).toMatchObject({ calls: 1, sends: { rpcs: 0, attempts: 0, retries: 0 } });
  });
});

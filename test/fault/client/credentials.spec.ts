import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusAuthenticationError, type PooledMilvusClient } from '../../../lib/index.js';
import { durationOf, failureOf, SOON_MS, times } from '../../support/pooled-client.js';
import { destroySession, status, success } from '../../support/stub-server.js';
import { add, beginRun, endRun, headerOf, headers, lazy, run, Vault } from './vault.js';

beforeEach(beginRun);
afterEach(endRun);

const vector = [1, 2, 3, 4];
const describeWith = (client: PooledMilvusClient, id: string) =>
  client.describeCollection({ collection_name: 'c', client_request_id: id } as never);
const insert = (client: PooledMilvusClient, id: string) =>
  client.insert({ collection_name: 'c', data: [{ id: 1, vector }], client_request_id: id } as never);

describe('a password that changes under load', () => {
  it('fails no call: the function is asked once, and nothing is sent more than twice', async () => {
    const { stub, vault, log } = run;
    const client = await add();
    expect(vault.asked).toBe(1);
    stub.delayMs = 5;
    let [inserts, rotated] = [0, false];
    const caller = async (index: number) => {
      // On both sides of the change.
      for (let [round, after] = [0, 0]; after < 2; round += 1, after += rotated ? 1 : 0) {
        if (index % 2) await insert(client, `${index}-${++inserts}`);
        else await describeWith(client, `${index}-${round}`);
      }
    };
    const callers = times(50, caller);
    await stub.waitFor(s => s.executions('Insert') > 60);
    vault.rotate();
    rotated = true;
    await Promise.all(callers);

    expect(vault.asked).toBe(2);
    expect(vault.refusals).toBeGreaterThan(0);
    expect(vault.mostSends).toBe(2);
    expect(stub.executions('Insert')).toBe(inserts);
    expect(new Set(headers('Insert'))).toEqual(new Set([headerOf('token-first'), headerOf(vault.valid)]));
    expect(log.of('search')).toContainEqual(
      'log its `credentials` function gave others; later requests carry them',
    );
    expect(Object.values(client.pool.stats().closed)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  it('executes a write once', async () => {
    const { stub, vault } = run;
    const client = await add();
    await insert(client, 'before');
    vault.rotate();
    const ids = times(50, index => insert(client, `after-${index}`));
    await Promise.all(ids);
    expect([stub.executions('Insert'), vault.asked]).toEqual([51, 2]);
  });

  it('is met by each client for itself', async () => {
    const { stub, vault } = run;
    const other = new Vault(stub);
    const [one, two] = [await add('one'), await add('two', { ...lazy, credentials: other.credentials })];
    await two.getVersion();
    other.rotate('token-of-all');
    vault.gives = 'token-of-all';
    await Promise.all([one.getVersion(), two.getVersion()]);
    expect(new Set(headers('GetVersion').slice(-2))).toEqual(new Set([headerOf('token-of-all')]));
    expect(stub.connectionsEver).toBe(1);
  });

  it.each([
    ['with errors: status', (client: PooledMilvusClient) => client.with({ errors: 'status' }).getVersion()],
    ['without retries', (client: PooledMilvusClient) => client.with({ retry: false }).getVersion()],
    ['in an execute()', (client: PooledMilvusClient) => client.execute(each => each.getVersion())],
    ['on a lease', (client: PooledMilvusClient) => client.pool.withConnection(each => each.getVersion())],
    ['of a ping()', (client: PooledMilvusClient) => client.ping()],
    ['of isAvailable()', async (client: PooledMilvusClient) => expect(await client.isAvailable()).toBe(true)],
  ])('fails no call %s', async (_how, call) => {
    const { stub, vault } = run;
    const client = await add();
    await call(client);
    vault.rotate();
    const before = stub.count();
    await call(client);
    expect([stub.count() - before, vault.asked]).toEqual([2, 2]);
  });

  it('runs the function of an execute() no second time', async () => {
    const { stub, vault } = run;
    const client = await add();
    let runs = 0;
    const both = client.execute(
      async each => {
        runs += 1;
        await insert(each, 'first');
        vault.rotate();
        await insert(each, 'second');
      },
      { idempotent: true },
    );
    await both;
    expect([runs, stub.executions('Insert'), vault.mostSends]).toEqual([1, 2, 2]);
  });

  it('does not end a method that polls', async () => {
    const { stub, vault } = run;
    const client = await add();
    let asked = 0;
    stub.on('GetLoadingProgress', (_request, call) => {
      if (asked++ === 0) vault.rotate();
      else expect([headerOf('token-first'), headerOf(vault.valid)]).toContain(call.metadata['authorization']);
      return { status: success, progress: asked < 2 ? 10 : 100 };
    });
    await client.loadCollection({ collection_name: 'c' });
    expect(await client.getVersion()).toMatchObject({ version: 'v2.6.0-stub' });
  });
});

describe('a failure that is for something else', () => {
  it.each([
    ['a connection that breaks', destroySession(), 'MILVUS_OUTCOME_UNKNOWN'],
    ['a server that is going', status(14, 'shutting down'), 'MILVUS_OUTCOME_UNKNOWN'],
    ['a privilege that is missing', status(7, 'no privilege'), 'MILVUS_SERVER'],
  ])('asks for no others, and sends no write again: %s', async (_what, behaviour, code) => {
    const { stub, vault } = run;
    const client = await add();
    await insert(client, 'before');
    // Whoever asks gets others.
    vault.gives = 'token-other';
    stub.next('Insert', behaviour);
    expect(await failureOf(insert(client, 'lost'))).toMatchObject({ code });
    expect([vault.asked, vault.mostSends]).toEqual([1, 1]);
  });
});

describe('credentials that stay wrong', () => {
  it('fail each call with what Milvus says, and have the function asked once a second at most', async () => {
    const { stub, vault, log } = run;
    vault.gives = 'token-wrong';
    const client = await add('search', lazy);
    const startedAt = performance.now();
    let calls = 0;
    // The first, one for the first refusal, and one a second later.
    while (vault.asked < 3) {
      const errors = await Promise.all(times(20, () => failureOf(client.getVersion())));
      calls += 20;
      for (const error of errors) {
        expect(error).toBeInstanceOf(MilvusAuthenticationError);
        expect(error).toMatchObject({ client: 'search', method: 'getVersion', grpcCode: 16 });
        expect(error.message).toMatch(/auth check failure.*Check what its `credentials` function gives$/);
      }
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(vault.asked).toBeLessThanOrEqual(2 + Math.ceil(seconds));
    expect(stub.count('GetVersion')).toBe(calls);
    const warned = log.of('search').filter(line => line.startsWith('warn Milvus refuses the credentials'));
    expect(warned).toHaveLength(vault.asked - 1);
    expect(client.pool.state).toBe('ready');
  });

  it('fail a boot once the time for it is up, or at once', async () => {
    const { vault, registry } = run;
    vault.gives = 'token-wrong';
    const took = durationOf(failureOf(add('search', { startup: { timeoutMs: 10_000 } })));
    expect(await took).toBeLessThan(SOON_MS);
    expect(registry.list()).toEqual([]);
  });

  it('are the same for whoever takes statuses', async () => {
    const { vault } = run;
    vault.gives = 'token-wrong';
    const client = await add('search', { ...lazy, errors: 'status' });
    expect(await failureOf(client.getVersion())).toMatchObject({ code: 16 });
  });
});

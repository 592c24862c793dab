import { describe, expect, it } from '@jest/globals';
import {
  MilvusClientExistsError,
  MilvusClientNotFoundError,
  type MilvusClientOptions,
  MilvusConfigurationError,
  MilvusInitializationError,
  PooledMilvusClient,
} from '../../lib/index.js';
import { failureOf, gate, times } from '../support/pooled-client.js';
import { log, registry, stub, useRegistry } from '../support/registry-run.js';
import { answer, hang, until } from '../support/stub-server.js';
import { lazy } from './feature.js';

/** Nothing listens there. */
const dead: MilvusClientOptions = { address: '127.0.0.1:2', startup: { mode: 'eager', timeoutMs: 150 } };

useRegistry();

const eager = () => ({ address: stub.address });
const left = () => [registry.list(), registry.stats().endpoints];

/** Connect is answered when the test says so. */
function slowStart(): { open: () => void } {
  const { opened, open } = gate();
  stub.always('Connect', until(opened, answer()));
  return { open };
}

describe('add()', () => {
  it('resolves when the client has started, and lists it then', async () => {
    const { open } = slowStart();
    const added = registry.add('tenant', eager());
    await stub.waitFor(s => s.inFlight === 1);
    expect([registry.has('tenant'), registry.list()]).toEqual([false, []]);
    expect(() => registry.get('tenant')).toThrow(/"tenant" not found.*It is being added/);
    expect((await failureOf(registry.remove('tenant'))).message).toMatch(/It is being added/);
    open();

    const client = await added;
    expect(client).toBeInstanceOf(PooledMilvusClient);
    expect([registry.get('tenant') === client, client.pool.state]).toEqual([true, 'ready']);
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(registry.stats().clients).toEqual({ tenant: { state: 'ready', calls: 1 } });
  });

  it.each([
    ['in the same moment', lazy],
    ['while the first one starts', () => ({ ...eager() })],
  ])('of one name twice %s: exactly one succeeds', async (_when, options) => {
    const added = times(5, () => registry.add('tenant', options()));
    const results = await Promise.allSettled(added);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', ...Array(4).fill('rejected')]);
    for (const { reason } of results.slice(1) as PromiseRejectedResult[]) {
      expect(reason).toBeInstanceOf(MilvusClientExistsError);
      expect(reason.message).toMatch(/registered by registry\.add\(\) with address .* and again by registry/);
    }
    expect(registry.stats().endpoints).toMatchObject([{ clients: ['tenant'] }]);
  });

  it.each([
    ['a module', () => registry.register('tenant', lazy(), Symbol('MilvusModule.forRoot'))],
    ['getOrCreate()', () => registry.getOrCreate('tenant', lazy())],
    ['add()', () => registry.add('tenant', lazy())],
  ])('refuses a name that %s gave to another one', async (_who, first) => {
    const client = await first();
    expect(await failureOf(registry.add('tenant', lazy()))).toBeInstanceOf(MilvusClientExistsError);
    expect(() => registry.register('tenant', lazy(), Symbol('a module'))).toThrow(MilvusClientExistsError);
    expect([registry.get('tenant') === client, client.pool.state]).toEqual([true, 'idle']);
  });

  it('with wrong options leaves the name free', async () => {
    const wrong = { address: 'h:1', pool: { maxConnections: 0 }, timeout: 1 } as MilvusClientOptions;
    const error = await failureOf(registry.add('tenant', wrong));
    expect(error).toBeInstanceOf(MilvusConfigurationError);
    expect(error.message).toMatch(/"tenant"[\s\S]*maxConnections[\s\S]*timeout/);
    expect(await failureOf(registry.add('tenant', undefined as never))).toBeInstanceOf(
      MilvusConfigurationError,
    );
    expect(left()).toEqual([[], []]);
    await registry.add('tenant', lazy());
  });

  it('to a server that is away leaves the name free, and nothing open', async () => {
    const error = await failureOf<MilvusInitializationError>(registry.add('tenant', dead));
    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error.message).toMatch(/Milvus client "tenant" could not start/);
    expect(left()).toEqual([[], []]);
    expect(registry.has('tenant')).toBe(false);
    await registry.add('tenant', eager());
    expect(registry.list()).toEqual(['tenant']);
  });

  it('of several at once waits for none of the others', async () => {
    stub.always('Connect', hang());
    const slow = registry.add('slow', { ...eager(), startup: { timeoutMs: 10_000 } });
    slow.catch(() => {});
    await expect(registry.add('quick', lazy())).resolves.toMatchObject({ name: 'quick' });
    expect(registry.list()).toEqual(['quick']);
  });

  it('makes a client that obeys the rule of shared ones: its database is nobody’s to change', async () => {
    const early = await registry.add('early', lazy());
    registry.announceServing();
    const late = await registry.add('late', lazy());
    for (const client of [early, late]) {
      expect(await failureOf(client.use({ db_name: 'mine' }))).toBeInstanceOf(MilvusConfigurationError);
    }
  });
});

describe('getOrCreate()', () => {
  it('from 100 places at once makes one', async () => {
    const clients = await Promise.all(times(100, () => registry.getOrCreate('tenant', eager())));
    expect(new Set(clients).size).toBe(1);
    expect([stub.count('Connect'), stub.connectionsEver]).toEqual([1, 1]);
    expect(registry.stats().endpoints).toMatchObject([{ clients: ['tenant'] }]);
    expect(await registry.getOrCreate('tenant')).toBe(clients[0]);
  });

  it('from 100 places makes none when it fails: all get the error, and the name is free', async () => {
    const errors = await Promise.all(times(100, () => failureOf(registry.getOrCreate('tenant', dead))));
    expect(new Set(errors).size).toBe(1);
    expect(errors[0]).toBeInstanceOf(MilvusInitializationError);
    expect(left()).toEqual([[], []]);
    expect((await registry.getOrCreate('tenant', lazy())).name).toBe('tenant');
  });

  it('waits for the client that add() is making', async () => {
    const added = registry.add('tenant', eager());
    expect(await registry.getOrCreate('tenant')).toBe(await added);
  });

  it('without options makes nothing', async () => {
    const error = await failureOf(registry.getOrCreate('tenant'));
    expect(error).toBeInstanceOf(MilvusClientNotFoundError);
    expect(await failureOf(registry.getOrCreate('tenant', { address: '' }))).toBeInstanceOf(
      MilvusConfigurationError,
    );
    expect(left()).toEqual([[], []]);
  });

  it('warns once of options that differ, and never of equal ones, in any order', async () => {
    const options = { ...lazy(), pool: { maxConnections: 2, minConnections: 1 }, database: 'books' };
    const equal = { database: 'books', pool: { minConnections: 1, maxConnections: 2 }, ...lazy() };
    await registry.add('tenant', options);
    for (const same of [options, equal, undefined]) await registry.getOrCreate('tenant', same);
    expect(warnings()).toEqual([]);

    for (const database of ['films', 'songs']) await registry.getOrCreate('tenant', { ...options, database });
    expect(warnings()).toEqual([
      expect.stringMatching(/client "tenant" exists: the other options that getOrCreate\(\) is given/),
    ]);
    expect(log.lines.join()).not.toContain('films');
  });

  it('warns so also of those who wait while it is being made', async () => {
    const all = times(10, index => registry.getOrCreate('tenant', { ...lazy(), database: `d${index}` }));
    await Promise.all(all);
    expect(warnings()).toHaveLength(1);
  });

  it('warns anew of the next client of the name', async () => {
    for (let round = 0; round < 2; round += 1) {
      await registry.getOrCreate('tenant', lazy());
      await registry.getOrCreate('tenant', { ...lazy(), database: 'films' });
      await registry.remove('tenant');
    }
    expect(warnings()).toHaveLength(2);
  });

  const warnings = () => log.lines.filter(line => line.startsWith('warn [Milvus]'));
});

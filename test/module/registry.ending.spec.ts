import { describe, expect, it } from '@jest/globals';
import {
  type MilvusClientOptions,
  MilvusClosedError,
  MilvusConfigurationError,
  MilvusInitializationError,
  type MilvusRegistryEvent,
  PooledMilvusClient,
} from '../../lib/index.js';
import { durationOf, eventually, failureOf, gate, SOON_MS, times } from '../support/pooled-client.js';
import { log, registry, stub, useRegistry } from '../support/registry-run.js';
import { hang, until } from '../support/stub-server.js';
import { lazy } from './feature.js';

/** Nothing listens there. */
const dead: MilvusClientOptions = { address: '127.0.0.1:2', startup: { mode: 'eager', timeoutMs: 150 } };

useRegistry();

const eager = () => ({ address: stub.address });
const left = () => [registry.list(), registry.stats().endpoints];

describe('use()', () => {
  it('gives a client of its own that is in no list, and is closed when the function has ended', async () => {
    await registry.add('tenant', eager());
    let used: PooledMilvusClient | undefined;
    const result = await registry.use(eager(), async client => {
      used = client;
      expect(registry.list()).toEqual(['tenant']);
      expect(Object.keys(registry.stats().clients)).toEqual(['tenant']);
      expect(registry.stats().endpoints).toMatchObject([{ clients: ['tenant', client.name] }]);
      expect(registry.has(client.name)).toBe(false);
      return (await client.getVersion()).version;
    });
    expect([result, used?.pool.state, stub.connectionsEver]).toEqual(['v2.6.0-stub', 'closed', 1]);
    expect(registry.get('tenant').pool.state).toBe('ready');
    expect(await failureOf(used!.getVersion())).toBeInstanceOf(MilvusClosedError);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('mine');
      },
    ],
    ['rejects', () => Promise.reject(new Error('mine'))],
    [
      'closes its client itself',
      async (client: PooledMilvusClient) => {
        await client.closeConnection();
        throw new Error('mine');
      },
    ],
  ])('closes it also when the function %s', async (_how, fn) => {
    let used: PooledMilvusClient | undefined;
    const error = await failureOf(
      registry.use(lazy(), client => {
        used = client;
        return fn(client);
      }),
    );
    expect([error.message, used?.pool.state]).toEqual(['mine', 'closed']);
    expect(left()).toEqual([[], []]);
  });

  it('lets the calls end that the function did not wait for', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    let call: Promise<unknown> | undefined;
    const used = registry.use(eager(), client => {
      call = client.getVersion();
    });
    await stub.waitFor(s => s.count('GetVersion') === 1);
    open();
    await used;
    await expect(call).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('does not run the function when the client cannot start, and leaves nothing', async () => {
    const ran: unknown[] = [];
    const run = (options: MilvusClientOptions) => registry.use(options, client => ran.push(client));
    expect(await failureOf(run(dead))).toBeInstanceOf(MilvusInitializationError);
    expect(await failureOf(run({ address: '' }))).toBeInstanceOf(MilvusConfigurationError);
    expect([ran, ...left()]).toEqual([[], [], []]);
  });

  it('says nothing of them in the log but at debug, unless something is wrong', async () => {
    await registry.use(eager(), client => client.getVersion());
    expect(log.lines.filter(line => !line.startsWith('debug '))).toEqual([]);
    expect(log.of('use-1')).toContainEqual(expect.stringMatching(/^debug connected to/));
    await failureOf(registry.use(dead, () => {}));
    expect(log.of('use-2').filter(line => line.startsWith('warn '))).not.toEqual([]);
  });

  it('names its clients apart', async () => {
    const names = await Promise.all(times(3, () => registry.use(lazy(), ({ name }) => name)));
    expect(new Set(names).size).toBe(3);
  });
});

describe('close() meanwhile', () => {
  it('ends what is being added: add() fails, and nothing stays open', async () => {
    stub.always('Connect', hang());
    const added = registry.add('tenant', eager());
    const waiting = registry.getOrCreate('tenant');
    added.catch(() => {});
    await stub.waitFor(s => s.inFlight === 1);
    expect(await durationOf(registry.close())).toBeLessThan(SOON_MS);

    for (const each of [added, waiting]) {
      const error = await failureOf(each);
      expect(isClosed(error)).toBe(true);
    }
    expect(left()).toEqual([[], []]);
    // It waited for nothing but its own end.
    expect(log.lines.filter(line => line.includes('not connected'))).toEqual([]);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('ends what is added in the same moment', async () => {
    const added = registry.add('tenant', lazy());
    added.catch(() => {});
    const report = await registry.close();
    expect(isClosed(await failureOf(added))).toBe(true);
    expect([report.clean, ...left()]).toEqual([true, [], []]);
  });

  it('ends a client in use at the drain limit, and the function hears of it', async () => {
    stub.always('GetVersion', hang());
    const used = registry.use(eager(), client => client.getVersion());
    used.catch(() => {});
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const report = await registry.close({ drainTimeoutMs: 50 });
    expect(report).toMatchObject({ clean: false, clients: [{ client: 'use-1', cancelledCalls: 1 }] });
    expect(await failureOf(used)).toBeInstanceOf(MilvusClosedError);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('waits for what is being removed, with the same report', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    const client = await registry.add('tenant', eager());
    const call = client.getVersion();
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const removed = registry.remove('tenant');
    const closed = registry.close();
    open();
    await call;
    expect((await closed).clients).toEqual((await removed).clients);
    expect((await closed).clients).toHaveLength(1);
  });

  const isClosed = (error: Error) =>
    error instanceof MilvusClosedError || error.cause instanceof MilvusClosedError;
});

describe('a client that its holder ends', () => {
  it.each([
    ['drain()', (client: PooledMilvusClient) => client.drain()],
    ['closeConnection()', (client: PooledMilvusClient) => client.closeConnection()],
    ['await using', (client: PooledMilvusClient) => client[Symbol.asyncDispose]()],
  ])('by %s leaves the registry: its name is free', async (_how, end) => {
    const told: string[] = [];
    registry.events$.subscribe(({ type }) => told.push(type));
    const client = await registry.add('tenant', lazy());
    await end(client);
    expect([client.pool.state, ...left()]).toEqual(['closed', [], []]);
    expect(told.filter(type => type === 'client-removed')).toHaveLength(1);
    const next = await registry.getOrCreate('tenant', lazy());
    expect([next === client, next.pool.state]).toEqual([false, 'idle']);
    // Again, which is not that of its successor.
    await end(client);
    expect(registry.get('tenant')).toBe(next);
  });

  it('is still waited for by close()', async () => {
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    const client = await registry.add('tenant', eager());
    const call = client.getVersion();
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const drained = client.drain();
    await eventually(() => !registry.has('tenant'));
    const closed = registry.close();
    open();
    await Promise.all([call, drained]);
    expect((await closed).clients).toMatchObject([{ client: 'tenant', outcome: 'clean' }]);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it.each([
    ['drain()', (client: PooledMilvusClient) => client.drain()],
    ['closeConnection()', (client: PooledMilvusClient) => client.closeConnection()],
    ['await using', (client: PooledMilvusClient) => client[Symbol.asyncDispose]()],
  ])('stays where it was only derived from: %s of a client of with() does nothing', async (_how, end) => {
    const client = await registry.add('tenant', eager());
    await end(client.with({ database: 'books' }));
    expect([registry.get('tenant') === client, client.pool.state]).toEqual([true, 'ready']);
    await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
  });

  it('on a lease leaves nothing but the lease', async () => {
    const client = await registry.add('tenant', eager());
    const lease = await client.pool.acquire();
    await lease.client.drain();
    expect([registry.list(), client.pool.state, client.pool.stats().leases.held]).toEqual([
      ['tenant'],
      'ready',
      0,
    ]);
  });
});

describe('events$', () => {
  function subscribed() {
    const seen: MilvusRegistryEvent[] = [];
    const state = { completed: false };
    const subscription = registry.events$.subscribe({
      next: event => seen.push(event),
      complete: () => {
        state.completed = true;
      },
    });
    return { seen, state, subscription };
  }
  const short = (events: readonly MilvusRegistryEvent[]) =>
    events.map(({ type, client, ...more }) => [type, client, 'to' in more ? more.to : '']);

  it('tells that clients come and go, and completes with the end', async () => {
    const { seen, state } = subscribed();
    await registry.add('tenant', lazy());
    await failureOf(registry.add('away', dead));
    const own = seen.filter(({ client }) => client !== 'away').length;
    await registry.remove('tenant');
    expect(own).toBe(1);
    expect(short(seen.filter(({ client }) => client === 'tenant'))).toEqual([
      ['client-added', 'tenant', ''],
      ['client-removed', 'tenant', ''],
      ['state-changed', 'tenant', 'draining'],
      ['state-changed', 'tenant', 'closed'],
    ]);
    expect(short(seen)).not.toContainEqual(['client-added', 'away', '']);
    expect([seen.every(Object.isFrozen), state.completed]).toEqual([true, false]);
    await registry.close();
    expect([state.completed, subscribed().state.completed]).toEqual([true, true]);
  });

  it('tells once what happens in an endpoint that several share, whose own events tell it each', async () => {
    const clients = [await registry.add('one', lazy()), await registry.add('other', lazy())];
    const own = clients.map(client => {
      const events: MilvusRegistryEvent[] = [];
      client.pool.events$.subscribe(event => events.push(event));
      return events;
    });
    const { seen } = subscribed();
    clients[1]!.connect();
    await eventually(() => seen.some(({ type }) => type === 'connect-failed'));
    expect(short(seen.slice(0, 2))).toEqual([
      ['state-changed', 'one', 'connecting'],
      ['connect-failed', 'one', ''],
    ]);
    for (const [index, name] of ['one', 'other'].entries()) {
      expect(short(own[index]!)).toEqual(short(seen).map(([type, , to]) => [type, name, to]));
    }
  });

  it('tells each drain of clients that share, and nobody who has unsubscribed', async () => {
    await registry.add('one', lazy());
    await registry.add('other', lazy());
    const { seen } = subscribed();
    const gone = subscribed();
    gone.subscription.unsubscribe();
    await registry.close();
    expect(new Set(short(seen).map(each => each.join(' ')))).toEqual(
      new Set(
        ['one', 'other'].flatMap(name => ['draining', 'closed'].map(to => `state-changed ${name} ${to}`)),
      ),
    );
    expect([seen.length, gone.seen, gone.state.completed]).toEqual([4, [], false]);
  });
});

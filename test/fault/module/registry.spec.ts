import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  type MilvusClientOptions,
  MilvusClosedError,
  MilvusModule,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { WaitingLog } from '../../../lib/telemetry/waiting-log.js';
import { bootApp, closeApps } from '../../support/nest-app.js';
import { eventually, failureOf, gate, times } from '../../support/pooled-client.js';
import { log, registry, stub, useRegistry } from '../../support/registry-run.js';
import { delay, hang, status, until } from '../../support/stub-server.js';

afterEach(async () => {
  jest.restoreAllMocks();
  await closeApps();
});

useRegistry();

const header = (token: string) => Buffer.from(token, 'utf8').toString('base64');
const add = (name: string, options: Partial<MilvusClientOptions> = {}) =>
  registry.add(name, { address: stub.address, ...options });
const tenants = (count: number, options: Partial<MilvusClientOptions> = {}) =>
  Promise.all(
    times(count, index => {
      const name = `tenant-${index}`;
      return add(name, { token: `token-of-${name}`, database: `db_${index}`, ...options });
    }),
  );
const describeOwn = (client: PooledMilvusClient) =>
  client.describeCollection({ collection_name: client.name });

describe('20 clients of equal endpoint options', () => {
  it('share the connections of one, and each call carries what is its own client’s', async () => {
    const pool = { maxConnections: 2, maxStreamsPerConnection: 20 };
    const clients = await tenants(20, { pool });
    stub.always('DescribeCollection', delay(5));
    await Promise.all(clients.flatMap(client => times(10, () => describeOwn(client))));

    expect(stub.connectionsEver).toBe(2);
    const calls = stub.calls('DescribeCollection');
    expect(calls).toHaveLength(200);
    for (const { request, metadata } of calls) {
      const name = request['collection_name'] as string;
      expect([metadata['dbname'], metadata['authorization']]).toEqual([
        `db_${name.split('-')[1]}`,
        header(`token-of-${name}`),
      ]);
    }
    expect(registry.stats().endpoints).toMatchObject([{ connections: { size: 2 } }]);
    expect(Object.values(registry.stats().clients).map(each => each.calls)).toEqual(Array(20).fill(10));
    expect(clients[0]!.pool.stats()).toMatchObject({ calls: 10, sends: { rpcs: 220 } });
  });

  it('are closed with all of their sockets when the last one ends, and not before', async () => {
    const clients = await tenants(20, { pool: { minConnections: 2 } });
    await stub.waitFor(s => s.connectionsOpen === 2);
    for (const { name } of clients.slice(1)) await registry.remove(name);
    await describeOwn(clients[0]!);
    expect([stub.connectionsOpen, stub.connectionsEver]).toEqual([2, 2]);

    await registry.remove('tenant-0');
    expect(registry.stats()).toEqual({ clients: {}, endpoints: [] });
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('share the breaker: what one learns of the server, all know', async () => {
    const [one, other] = await tenants(2, { circuitBreaker: { failureThreshold: 1 }, retry: false });
    stub.always('DescribeCollection', call => call.connection.socket.destroy());
    await failureOf(describeOwn(one!));
    expect([one!.pool.circuit.state, other!.pool.circuit.state]).toEqual(['open', 'open']);
    one!.pool.circuit.reset();
    expect(other!.pool.circuit.state).toBe('closed');
  });

  it.each([
    ['one option that differs', { pool: { maxConnections: 3 } }],
    ['pool.dedicated', { pool: { dedicated: true } }],
  ])('do not share with one that has %s', async (_what, options) => {
    const [one] = await tenants(1);
    const other = await add('other', options);
    await Promise.all([one!, other].map(describeOwn));
    expect(new Set(stub.calls('DescribeCollection').map(({ connectionId }) => connectionId)).size).toBe(2);
    await registry.remove('other');
    await describeOwn(one!);
    await stub.waitFor(s => s.connectionsOpen === 1);
  });
});

describe('the removal of one of two clients', () => {
  it('leaves the other’s calls in flight alone, and the connections open', async () => {
    const { opened, open } = gate();
    const [going, staying] = await tenants(2);
    stub.next('DescribeCollection', hang());
    const cancelled = failureOf(describeOwn(going!));
    await stub.waitFor(s => s.count('DescribeCollection') === 1);
    stub.always('DescribeCollection', until(opened));
    const calls = times(20, () => describeOwn(staying!));
    await stub.waitFor(s => s.count('DescribeCollection') === 21);

    expect(await going!.drain({ timeoutMs: 20 })).toMatchObject({
      clean: false,
      clients: [{ cancelledCalls: 1 }],
    });
    expect(await cancelled).toBeInstanceOf(MilvusClosedError);
    await stub.waitFor(s => s.cancelled.length === 1);
    expect([stub.inFlight, stub.connectionsOpen]).toEqual([20, stub.connectionsEver]);
    open();
    await Promise.all(calls);
    expect([stub.count('DescribeCollection'), stub.connectionsOpen]).toEqual([21, stub.connectionsEver]);
    expect(staying!.pool.state).toBe('ready');
  });

  it('lets its own calls end first, while a new one of its name is at work', async () => {
    const { opened, open } = gate();
    const [old] = await tenants(2);
    stub.next('DescribeCollection', until(opened));
    const call = describeOwn(old!);
    await stub.waitFor(s => s.count('DescribeCollection') === 1);
    const removed = registry.remove('tenant-0');
    const next = await add('tenant-0', { database: 'db_new', token: 'token-of-new' });
    await describeOwn(next);
    expect(await failureOf(describeOwn(old!))).toBeInstanceOf(MilvusClosedError);
    open();
    await call;

    expect((await removed).clients).toMatchObject([{ outcome: 'clean', finishedCalls: 1 }]);
    expect(stub.calls('DescribeCollection').at(-1)!.metadata['dbname']).toBe('db_new');
    expect(stub.connectionsEver).toBe(1);
  });
});

describe('the events of the registry', () => {
  /** One that has a call on the wire until the gate opens; and what is told from now on of connections. */
  async function drainingFirst(options: Partial<MilvusClientOptions> = {}) {
    const { opened, open } = gate();
    const [first] = await tenants(2, options);
    stub.next('DescribeCollection', until(opened));
    const call = describeOwn(first!);
    await stub.waitFor(s => s.count('DescribeCollection') === 1);
    const own: string[] = [];
    first!.pool.events$.subscribe(event => own.push('to' in event ? event.to : event.type));
    const removed = registry.remove('tenant-0');
    return { open, own, ended: Promise.all([call, removed]) };
  }

  it('tell once of a connection while a client drains whose name has a new one', async () => {
    const seen: string[] = [];
    registry.events$.subscribe(({ type }) => seen.push(type));
    const { open, ended } = await drainingFirst();
    await add('tenant-0');
    await registry.get('tenant-1').pool.reconnect();
    open();
    await ended;
    expect(seen.filter(type => type === 'connection-opened')).toHaveLength(stub.connectionsEver);
    expect(stub.connectionsEver).toBeGreaterThan(1);
  });

  it('tell of the endpoint’s state also while the client drains that came first', async () => {
    const seen: string[] = [];
    registry.events$.subscribe(event => {
      if (event.type === 'state-changed') seen.push(event.to);
    });
    const { open, own, ended } = await drainingFirst({ circuitBreaker: { failureThreshold: 1 } });
    stub.next('GetVersion', status(14, 'shutting down'));
    await failureOf(registry.get('tenant-1').with({ retry: false }).getVersion());
    open();
    await ended;
    const told = seen.filter(state => ['draining', 'unavailable', 'closed'].includes(state));
    expect(told).toEqual(['draining', 'unavailable', 'closed']);
    // It has a state of its own by then.
    expect(own.filter(what => what === 'unavailable' || what === 'degraded')).toEqual([]);
    expect([own[0], own.at(-1)]).toEqual(['draining', 'closed']);
  });
});

describe('the log', () => {
  it('says in one line at boot who shares', async () => {
    const imports = ['read', 'write', 'noisy'].map(name => {
      const dedicated = name === 'noisy';
      return MilvusModule.forRoot({ name, address: stub.address, pool: { dedicated } });
    });
    await bootApp({ imports }, { log });
    const { address } = stub;
    expect(log.lines.filter(line => line.includes('[Milvus] '))).toEqual([
      `log [Milvus] 3 clients on 2 endpoints: ${address} shared by read, write; ${address} of noisy alone`,
    ]);
    for (const name of ['read', 'write', 'noisy']) {
      expect(log.of(name).filter(line => line.startsWith('log '))).toEqual([
        expect.stringMatching(/^log connected to 127\.0\.0\.1:\d+ \(Milvus v2\.6\.0-stub\) in \d+ ms$/),
      ]);
    }
  });

  it('says once that 50 clients wait for a server that is away, and names them when it has come', async () => {
    await stub.stop();
    const failures = jest.spyOn(WaitingLog.prototype, 'failed');
    const waiting = { startup: { mode: 'background' as const }, pool: { acquireTimeoutMs: 200 } };
    await Promise.all(times(50, index => add(`tenant-${index}`, waiting)));
    await eventually(() => failures.mock.calls.length >= 60);
    const loud = () => log.lines.filter(line => /^(log|warn|error) /.test(line));
    expect(loud().filter(line => line.includes('not connected'))).toHaveLength(1);
    expect(loud().filter(line => line.includes('unavailable'))).toHaveLength(1);
    expect(loud()).toHaveLength(2);
    await stub.restart();
    await eventually(() => loud().filter(line => line.includes('connected to')).length === 50);
    expect(loud().filter(line => line.includes('unavailable →'))).toHaveLength(1);
    expect(loud()).toHaveLength(53);
  });

  it('says once that 50 clients wait for a server that does not answer', async () => {
    stub.always('Connect', hang());
    const failures = jest.spyOn(WaitingLog.prototype, 'failed');
    const startup = { mode: 'background' as const, timeoutMs: 100 };
    await Promise.all(times(50, index => add(`tenant-${index}`, { startup })));
    await eventually(() => failures.mock.calls.length >= 50);
    expect(log.lines.filter(line => line.includes('not connected yet'))).toHaveLength(1);
  });

  it('says nothing of single calls, whatever comes of them', async () => {
    const [client] = await tenants(1);
    const before = log.lines.length;
    stub.on('DescribeCollection', () => ({
      status: { code: 100, error_code: 'CollectionNotExists', reason: 'no' },
    }));
    await Promise.all([
      ...times(20, () => client!.getVersion()),
      ...times(20, () => failureOf(describeOwn(client!))),
    ]);
    expect(log.lines.slice(before).filter(line => !line.startsWith('debug'))).toEqual([]);
    expect(log.lines.slice(before).filter(line => /describe|getVersion/i.test(line))).toEqual([]);
  });
});

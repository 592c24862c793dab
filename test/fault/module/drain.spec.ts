import { describe, expect, it } from '@jest/globals';
import {
  type MilvusClientOptions,
  MilvusClosedError,
  type MilvusPoolEvent,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import {
  durationOf,
  eventually,
  failureOf,
  gate,
  quietly,
  SOON_MS,
  times,
} from '../../support/pooled-client.js';
import { log, registry, stub, useRegistry } from '../../support/registry-run.js';
import { hang, until } from '../../support/stub-server.js';

useRegistry();

const add = (name: string, options: Partial<MilvusClientOptions> = {}) =>
  registry.add(name, { address: stub.address, ...options });
const hanging = { shutdown: { drainTimeoutMs: 150 } };

/** A call that never ends, and a lease that nobody gives back. */
async function stuck(client: PooledMilvusClient) {
  stub.always('GetVersion', hang());
  const call = quietly(client.getVersion());
  const lease = await client.pool.acquire();
  await stub.waitFor(s => s.count('GetVersion') === 1);
  return { call, lease };
}

describe('a call that hangs and a lease that is held', () => {
  it('end with the drain limit, and the report and one warning name both', async () => {
    const client = await add('search', hanging);
    const { call, lease } = await stuck(client);
    const ended = client.drain();
    expect(await durationOf(ended)).toBeGreaterThanOrEqual(145);
    const report = await ended;

    expect(report.clean).toBe(false);
    expect(report.clients).toMatchObject([
      {
        client: 'search',
        outcome: 'timedOut',
        finishedCalls: 0,
        cancelledCalls: 1,
        cancelled: [{ method: 'getVersion' }],
        heldLeases: 1,
        leases: [{ client: 'search', stack: expect.stringContaining('drain.spec.ts') }],
      },
    ]);
    const [{ cancelled, leases, durationMs }] = report.clients as [(typeof report.clients)[0]];
    for (const { ageMs } of [...cancelled, ...leases]) expect(ageMs).toBeGreaterThanOrEqual(145);
    expect(durationMs).toBeLessThan(SOON_MS);
    const error = await failureOf(call);
    expect(error).toBeInstanceOf(MilvusClosedError);
    expect(await failureOf(lease.client.getLoadState({ collection_name: 'c' }))).toBeInstanceOf(
      MilvusClosedError,
    );
    lease.release();

    const warnings = log.of('search').filter(line => line.startsWith('warn'));
    expect(warnings).toEqual([
      expect.stringMatching(
        /^warn the drain limit has come before 1 call and 1 lease ended:\n- getVersion, for \d+ ms\n- lease held for \d+ ms, acquired here:\n.*drain\.spec\.ts/,
      ),
      expect.stringMatching(
        /^warn draining → closed in \d+ ms: 0 calls finished, 1 cancelled, 1 lease not released at the drain limit/,
      ),
    ]);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('end by themselves where there is time: the drain waits for them, and no longer', async () => {
    const { opened, open } = gate();
    const client = await add('search');
    stub.next('GetVersion', until(opened));
    const call = client.getVersion();
    const lease = await client.pool.acquire();
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const report = client.drain();
    expect(client.pool.state).toBe('draining');
    await eventually(() => log.of('search').some(line => line.includes('→ draining: 1 call and 1 lease')));
    // Whoever holds a lease may finish.
    await expect(lease.client.getLoadState({ collection_name: 'c' })).resolves.toBeDefined();
    lease.release();
    open();
    await call;
    expect((await report).clients).toMatchObject([{ outcome: 'clean', finishedCalls: 1, heldLeases: 0 }]);
    expect(log.of('search').filter(line => line.startsWith('warn'))).toEqual([]);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('are logged once before: what is under way and for how long it may', async () => {
    const client = await add('search', hanging);
    await stuck(client);
    await client.drain();
    expect(log.of('search')).toContainEqual(
      'log ready → draining: 1 call and 1 lease under way, at most 150 ms',
    );
    expect(log.of('search').filter(line => line.includes('drain '))).toEqual([
      expect.stringMatching(/^debug drain 2\/5/),
      expect.stringMatching(/^warn the drain limit/),
      expect.stringMatching(/^debug drain 4\/5/),
      expect.stringMatching(/^debug drain 5\/5/),
      expect.stringMatching(/^warn draining → closed/),
    ]);
  });

  it('end at the limit that is asked for, instead of the client’s own', async () => {
    const client = await add('search', { shutdown: { drainTimeoutMs: 60_000 } });
    await stuck(client);
    expect(await durationOf(registry.close({ drainTimeoutMs: 50 }))).toBeLessThan(SOON_MS);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });
});

describe('a second drain meanwhile', () => {
  it('changes nothing, and gives the same report', async () => {
    const client = await add('search', hanging);
    await stuck(client);
    const first = client.drain();
    const others = [
      client.drain({ timeoutMs: 0 }),
      client.drain({ timeoutMs: 60_000 }),
      client.closeConnection().then(() => client.drain()),
      registry.close(),
    ];
    expect(stub.inFlight).toBe(1);
    const report = await first;
    for (const other of await Promise.all(others)) expect(other.clients).toEqual(report.clients);
    expect(report.clients[0]!.durationMs).toBeGreaterThanOrEqual(145);
    expect(log.of('search').filter(line => line.includes('→ closed'))).toHaveLength(1);
    expect((await client.drain()).clients).toEqual(report.clients);
  });

  it('ends sooner where it is the end of all, with a sooner limit', async () => {
    const client = await add('search', hanging);
    await stuck(client);
    const first = client.drain({ timeoutMs: 60_000 });
    await stub.waitFor(() => client.pool.state === 'draining');
    expect(await durationOf(registry.close({ drainTimeoutMs: 50 }))).toBeLessThan(SOON_MS);
    expect((await first).clients).toMatchObject([{ outcome: 'timedOut', cancelledCalls: 1 }]);
  });

  it.each([
    ['a moment later', () => eventually(() => log.of('search').some(line => line.includes('→ draining')))],
    ['at the same time', undefined],
  ])('that is the end of the application %s shortens it', async (_when, later) => {
    const client = await add('search', { shutdown: { drainTimeoutMs: 60_000 } });
    await stuck(client);
    const removed = registry.remove('search');
    if (later) await later();
    const report = await registry.close({ drainTimeoutMs: 50 });
    expect(report.clients).toMatchObject([{ client: 'search', outcome: 'timedOut', cancelledCalls: 1 }]);
    expect((await removed).clients).toEqual(report.clients);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });

  it('and one from within the news of the first, is harmless', async () => {
    const client = await add('search');
    const seen: string[] = [];
    const states: string[] = [];
    const more: Promise<unknown>[] = [];
    client.pool.events$.subscribe((event: MilvusPoolEvent) => {
      if (event.type !== 'state-changed') return;
      seen.push(event.to);
      states.push(client.pool.state);
      more.push(client.drain(), registry.close(), quietly(client.getVersion()));
    });
    const report = await client.drain();
    await Promise.allSettled(more);
    expect([seen, states]).toEqual([
      ['draining', 'closed'],
      ['draining', 'closed'],
    ]);
    expect(stub.count('GetVersion')).toBe(0);
    expect((await client.drain()).clients).toEqual(report.clients);
    expect(log.of('search').filter(line => line.includes('→ closed'))).toHaveLength(1);
  });
});

describe('a client of a shared endpoint', () => {
  it('drains at its limit while another one goes on, whose connections stay', async () => {
    const pool = { minConnections: 2 };
    const [going, staying] = [await add('going', { ...hanging, pool }), await add('staying', { pool })];
    const { call } = await stuck(going);
    stub.behave('GetVersion');
    let calls = 0;
    let running = true;
    const traffic = times(5, async () => {
      for (; running; calls += 1) await staying.getVersion();
    });
    await eventually(() => calls > 20);
    const before = calls;
    const [report] = (await going.drain()).clients;
    await eventually(() => calls > before + 20);
    running = false;
    await Promise.all(traffic);

    expect(report).toMatchObject({ outcome: 'timedOut', cancelledCalls: 1, heldLeases: 1 });
    expect(await failureOf(call)).toBeInstanceOf(MilvusClosedError);
    expect(stub.connectionsOpen).toBeGreaterThanOrEqual(2);
    expect(staying.pool.stats()).toMatchObject({
      leases: { held: 0 },
      inFlight: 0,
      closed: { drain: 0, failed: 0 },
    });
    expect(staying.pool.state).toBe('ready');
  });

  it('that is the last one closes what all used', async () => {
    const clients = [await add('one'), await add('two')];
    await Promise.all(clients.map(client => client.drain()));
    await stub.waitFor(s => s.connectionsOpen === 0);
  });
});

describe('connections that nobody needs any more', () => {
  it('close at once while a call is in flight', async () => {
    const { opened, open } = gate();
    const client = await add('search', { pool: { minConnections: 4 } });
    await stub.waitFor(s => s.connectionsOpen === 4);
    await eventually(() => client.pool.stats().connections.size === 4);
    stub.next('GetVersion', until(opened));
    const call = client.getVersion();
    await stub.waitFor(s => s.count('GetVersion') === 1);
    const report = client.drain();
    // One of them may be needed by what the call sends next.
    await stub.waitFor(s => s.connectionsOpen <= 2);
    expect([client.pool.state, stub.inFlight]).toEqual(['draining', 1]);
    open();
    await call;
    expect((await report).clean).toBe(true);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });
});

describe('30 clients', () => {
  it('drain in parallel, each within its own limit', async () => {
    stub.always('GetVersion', hang());
    const pool = { dedicated: true };
    const clients = await Promise.all(
      times(30, index => add(`c${index}`, { pool, shutdown: { drainTimeoutMs: 100 + 5 * index } })),
    );
    const calls = clients.map(client => failureOf(client.getVersion()));
    await stub.waitFor(s => s.inFlight === 30);
    const closed = registry.close();
    const took = await durationOf(closed);

    // One after the other they would take more than 5 s.
    expect(took).toBeLessThan(3_000);
    const report = await closed;
    expect(report.clients.map(({ client, outcome }) => [client, outcome])).toEqual(
      clients.map(({ name }) => [name, 'timedOut']),
    );
    for (const [index, { durationMs }] of report.clients.entries()) {
      expect(durationMs).toBeGreaterThanOrEqual(100 + 5 * index - 2);
    }
    expect(report.durationMs).toBe(Math.max(...report.clients.map(({ durationMs }) => durationMs)));
    await Promise.all(calls);
    await stub.waitFor(s => s.connectionsOpen === 0);
  });
});

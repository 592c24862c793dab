import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusCircuitOpenError, type MilvusPoolEvent, type PooledMilvusClient } from '../../../lib/index.js';
import {
  closeClients,
  eventually,
  eventuallyResolves,
  failureOf,
  pooledClient,
  quietly,
} from '../../support/pooled-client.js';
import { failure, hang, type Message, StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

type StateChange = Extract<MilvusPoolEvent, { type: 'state-changed' }>;

/** A client that has called, and its changes of state from then on. */
async function watched(intervalMs = 200): Promise<{ client: PooledMilvusClient; changes: StateChange[] }> {
  const client = pooledClient(stub.address, {
    name: 'search',
    circuitBreaker: {},
    health: { intervalMs, timeoutMs: 400 },
  });
  await client.getVersion();
  const changes: StateChange[] = [];
  client.pool.events$.subscribe(event => {
    if (event.type === 'state-changed') changes.push(event);
  });
  return { client, changes };
}

const noCoordinator = failure(65_535, 'find no available rootcoord, check rootcoord state');

describe('a server whose port is open', () => {
  it.each<[string, Message, RegExp]>([
    [
      'says that it is not healthy',
      { isHealthy: false, reasons: ['querynode 3 is down', 'no datanode'] },
      /querynode 3 is down; no datanode/,
    ],
    ['has lost its coordinator', { status: noCoordinator }, /find no available rootcoord/],
    ['says that it is not healthy, but not why', {}, /not healthy/],
  ])('is unavailable when it %s, with its reason, until it is well', async (_what, answer, reason) => {
    const { client, changes } = await watched();
    stub.on('CheckHealth', () => answer);
    await eventually(() => client.pool.state === 'unavailable');
    expect(changes).toEqual([
      {
        client: 'search',
        type: 'state-changed',
        from: 'ready',
        to: 'unavailable',
        reason: expect.stringMatching(reason),
      },
    ]);
    // Whether calls fail is theirs to say.
    expect(client.pool.circuit.state).toBe('closed');
    await client.getVersion();
    const asked = stub.count('CheckHealth');
    await stub.waitFor(s => s.count('CheckHealth') >= asked + 3);
    expect(changes).toHaveLength(1);

    stub.behave();
    await eventually(() => client.pool.state === 'ready');
    expect(changes).toHaveLength(2);
    expect(changes[1]).toMatchObject({ from: 'unavailable', to: 'ready' });
  });

  it('has its calls fail fast when they meet that too, and used again when they do not', async () => {
    const { client, changes } = await watched();
    stub.on('CheckHealth', () => ({ status: noCoordinator }));
    stub.on('GetLoadState', () => ({ status: noCoordinator }));
    const call = () => client.getLoadState({ collection_name: 'c' });
    await eventually(() => {
      quietly(call());
      return client.pool.circuit.state === 'open';
    });
    expect(await failureOf(call())).toBeInstanceOf(MilvusCircuitOpenError);
    expect(client.pool.state).toBe('unavailable');

    stub.behave();
    await eventuallyResolves(call);
    await eventually(() => client.pool.state === 'ready');
    expect(changes[0]).toMatchObject({ to: 'unavailable' });
    expect(changes.at(-1)).toMatchObject({ to: 'ready' });
  });

  it.each([16, 7])('is ready when it refuses to say how it is (gRPC %i): it lives', async code => {
    const { client, changes } = await watched(400);
    stub.always('CheckHealth', status(code, 'auth check failure'));
    await stub.waitFor(s => s.count('CheckHealth') >= 4);
    await client.getVersion();

    expect(client.pool.state).toBe('ready');
    expect(client.pool.circuit.state).toBe('closed');
    expect(changes).toEqual([]);
    // No more often than a server that works.
    const times = stub.calls('CheckHealth').map(({ atMs }) => atMs);
    expect(times.at(-1)! - times[0]!).toBeGreaterThan((times.length - 1) * 300);
  });

  it('is asked for its version when it knows no CheckHealth', async () => {
    const { client, changes } = await watched();
    stub.always('CheckHealth', status(12, 'unknown method CheckHealth'));
    stub.resetCounts();
    await stub.waitFor(s => s.count('GetVersion') >= 3);

    expect(stub.count('CheckHealth')).toBe(1);
    expect(client.pool.state).toBe('ready');
    expect(changes).toEqual([]);
  });

  it('is unavailable when it says nothing at all while nobody calls', async () => {
    const { client, changes } = await watched();
    stub.always('CheckHealth', hang());
    await eventually(() => client.pool.state === 'unavailable');

    expect(changes[0]!.reason).toMatch(/no answer within 400 ms/);
    stub.behave();
    await eventually(() => client.pool.state === 'ready');
    expect(changes.map(({ to }) => to)).toEqual(['unavailable', 'ready']);
  });

  it('is not for being too busy to say how it is while it answers calls', async () => {
    const { client, changes } = await watched();
    stub.always('CheckHealth', hang());
    stub.resetCounts();
    await eventually(() => {
      quietly(client.getLoadState({ collection_name: 'c' }));
      return stub.count('CheckHealth') >= 3;
    });

    expect(changes).toEqual([]);
    expect(client.pool.state).toBe('ready');
  });
});

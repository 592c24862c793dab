import { beforeEach, describe, expect, it } from '@jest/globals';
import type { CallRequest } from '../../lib/client/call-request.js';
import type { ClientInternals } from '../../lib/client/client-internals.js';
import { ClientPool } from '../../lib/client/client-pool.js';
import type { HeldConnection } from '../../lib/client/milvus-lease.js';
import type { PooledMilvusClient } from '../../lib/client/pooled-milvus-client.js';
import { MilvusConfigurationError } from '../../lib/index.js';
import { CircuitBreaker } from '../../lib/resilience/circuit-breaker.js';
import { FakeClock } from '../support/fake-clock.js';

const client = { name: 'of the lease' } as PooledMilvusClient;

let requests: CallRequest[];
let entries: unknown[];
let released: number;
let scope: { timeoutMs?: number; signals?: AbortSignal[]; errors: 'status' };
let pool: ClientPool;
let circuit: CircuitBreaker;

beforeEach(() => {
  requests = [];
  entries = [];
  released = 0;
  scope = { errors: 'status' };
  const settings = { recoveryTimeoutMs: 1_000, halfOpenSuccessThreshold: 1, maxHalfOpenRequests: 1 };
  circuit = new CircuitBreaker({ failureThreshold: 1, ...settings }, new FakeClock());
  const held = { release: () => (released += 1) } as unknown as HeldConnection;
  const runtime = {
    state: 'ready',
    endpoint: { circuit },
    options: { name: 'search', endpoint: { pool: { acquireTimeoutMs: 5_000 } } },
    leaks: {
      trace: (entry: unknown) => entries.push(entry),
      leaks: () => ['a leak'],
    },
    events: { events$: 'events' },
    stats: () => 'stats',
    reconnect: async () => {},
    acquireLease: async (request: CallRequest) => {
      requests.push(request);
      return held;
    },
  };
  const behind = { runtime, scope, through: (each: unknown) => ({ through: each }) };
  pool = new ClientPool(behind as unknown as ClientInternals, derived => {
    expect(derived).toEqual({ through: held });
    return client;
  });
});

const limits = () => requests.map(({ limit }) => limit.timeoutMs);

describe('the pool of a client', () => {
  it('shows what its runtime knows', () => {
    expect([pool.state, pool.stats(), pool.events$, pool.leaks()]).toEqual([
      'ready',
      'stats',
      'events',
      ['a leak'],
    ]);
  });

  it('shows its circuit as it is at any time, and resets it', () => {
    const seen = pool.circuit;
    expect([seen.state, Object.isFrozen(seen)]).toEqual(['closed', true]);
    circuit.leave(circuit.enter()!, 'failure');
    expect([seen.state, seen.metrics().totalFailures]).toEqual(['open', 1]);
    seen.reset();
    expect([seen.state, circuit.state, seen.metrics().stateChanges]).toEqual(['closed', 'closed', 2]);
  });

  it('acquires a lease within acquireTimeoutMs, or the limit that is given', async () => {
    expect((await pool.acquire()).client).toBe(client);
    await pool.acquire({ timeoutMs: 9_000 });
    await pool.acquire({ timeoutMs: 20 });
    expect(limits()).toEqual([5_000, 9_000, 20]);
    expect(requests[0]!.limit.setBy).toContain('pool.acquireTimeoutMs');
  });

  it('heeds the limit and the signals of with(…), and always throws', async () => {
    scope.timeoutMs = 100;
    scope.signals = [new AbortController().signal];
    await pool.acquire();
    await pool.acquire({ timeoutMs: 20 });
    expect(limits()).toEqual([100, 20]);
    expect(requests[0]).toMatchObject({
      method: 'pool.acquire',
      scope: { signals: scope.signals, errors: 'throw' },
    });
    expect(requests[0]!.limit.setBy).toContain('with({ timeoutMs })');
  });

  it.each([0, -1, Number.NaN, 'soon' as unknown as number])('refuses %p for a limit', async timeoutMs => {
    const refused = pool.acquire({ timeoutMs });
    await expect(refused).rejects.toBeInstanceOf(MilvusConfigurationError);
    await expect(refused).rejects.toThrow(/"search": pool\.acquire\(\): `timeoutMs` must be/);
    expect(requests).toEqual([]);
  });

  it('refuses options that it does not know', async () => {
    await expect(pool.acquire({ timeout: 5 } as object)).rejects.toThrow(
      /`timeout` is unknown\. Known: timeoutMs/,
    );
    expect(requests).toEqual([]);
  });

  it('remembers who called, by the function that was called', async () => {
    await pool.acquire();
    await pool.withConnection(() => {});
    expect(entries).toEqual([pool.acquire, pool.withConnection]);
  });

  it('runs a function with a lease, and releases that whatever happens', async () => {
    await expect(pool.withConnection(each => [each, released])).resolves.toEqual([client, 0]);
    expect(released).toBe(1);
    const failure = new Error('its own');
    await expect(pool.withConnection(() => Promise.reject(failure), { timeoutMs: 30 })).rejects.toBe(failure);
    await expect(
      pool.withConnection(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
    expect([released, limits()[1]]).toEqual([3, 30]);
  });
});

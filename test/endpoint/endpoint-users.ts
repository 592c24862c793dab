import type { RpcMethod } from '../../lib/endpoint/rpc.js';
import type { EndpointUser } from '../../lib/endpoint/shared-endpoint.js';
import type { SharedEndpoints } from '../../lib/endpoint/shared-endpoints.js';
import type { MilvusClientOptions } from '../../lib/options/milvus-client-options.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import type { EndpointObserver } from '../../lib/telemetry/pool-telemetry.js';

/** Every option of an endpoint that can be given, none of them its default. */
export const given = (): MilvusClientOptions => ({
  address: ['h:1', 'h:2', '[::1]:3'],
  pool: {
    minConnections: 2,
    maxConnections: 3,
    maxStreamsPerConnection: 50,
    acquireTimeoutMs: 4_000,
    maxPending: 500,
    maxLeases: 4,
    idleTimeoutMs: 200_000,
    maxLifetimeMs: 900_000,
    validateAfterIdleMs: 20_000,
    connectTimeoutMs: 9_000,
    keepalive: { intervalMs: 20_000, timeoutMs: 4_000, withoutCalls: true },
    maxReceiveBytes: 1_000_000,
  },
  retryBudget: { ratio: 0.3, minPerSecond: 2 },
  circuitBreaker: {
    failureThreshold: 4,
    recoveryTimeoutMs: 20_000,
    halfOpenSuccessThreshold: 3,
    maxHalfOpenRequests: 2,
    failureRate: { threshold: 0.4, minimumCalls: 30, windowMs: 9_000 },
  },
  health: { intervalMs: 9_000, timeoutMs: 1_000 },
});

export const resolved = (options: object = given()) =>
  resolveClientOptions('any', { address: 'h:1', ...options }).endpoint;

/** What a client's log, or its events, are told. */
function observer(name: string, told: string[]): EndpointObserver {
  const note = (what: string) => () => void told.push(`${name} ${what}`);
  return {
    stateChanged: (from, to) => void told.push(`${name} ${from} → ${to}`),
    connectionOpened: note('opened'),
    connectionClosed: note('closed'),
    connectFailed: note('failed'),
    probed: note('probed'),
  };
}

export function user(name: string, told: string[] = []): EndpointUser {
  const method = (rpc: string) => ({ name: rpc, path: `/${rpc}`, repeatability: 'read' }) as RpcMethod;
  const questions = {
    checkHealth: method('CheckHealth'),
    getVersion: method('GetVersion'),
    metadata: () => ({ authorization: name }),
  };
  return {
    name,
    questions,
    log: observer(`log of ${name}:`, told),
    events: observer(`events of ${name}:`, told),
  };
}

export const claims = (directory: SharedEndpoints, count: number, options = resolved()) =>
  Array.from({ length: count }, (_, index) => directory.claim(options, user(`c${index}`)));

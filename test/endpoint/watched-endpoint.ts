import { jest } from '@jest/globals';
import { Endpoint } from '../../lib/endpoint/endpoint.js';
import { type Rpc, RpcError, type RpcMethod } from '../../lib/endpoint/rpc.js';
import type { MilvusClientOptions } from '../../lib/options/milvus-client-options.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import type { EndpointObserver, PoolState } from '../../lib/telemetry/pool-telemetry.js';

/** What the test says of a server, and what was seen. */
interface Seen {
  endpoints: Endpoint[];
  /** Of the state. */
  changes: unknown[];
  /** What the server says when it is asked; when it was. */
  condition: object | Error;
  askedAtMs: number[];
  /** Of the connections. */
  pool: PoolState;
}

export let seen: Seen;

/** Before each test. */
export function beginWatching(): void {
  jest.useFakeTimers();
  jest.spyOn(Math, 'random').mockReturnValue(0.5);
  seen = { endpoints: [], changes: [], condition: { isHealthy: true }, askedAtMs: [], pool: 'idle' };
}

/** After each test. */
export function endWatching(): void {
  for (const endpoint of seen.endpoints) void endpoint.close();
  jest.restoreAllMocks();
  jest.useRealTimers();
}

const method = (name: string) => ({ name, path: `/${name}`, repeatability: 'read' }) as RpcMethod;
const questions = {
  checkHealth: method('CheckHealth'),
  getVersion: method('GetVersion'),
  metadata: () => ({}),
};
export const ill = { isHealthy: false, reasons: ['no rootcoord'] };
export const silence = new RpcError('CheckHealth', 4, 'late', { at: 'line' });

/** An endpoint without a network: the test says how its connections are. */
export function watched(options: Partial<MilvusClientOptions> = {}): Endpoint {
  const given = { address: 'milvus:19530', circuitBreaker: { failureThreshold: 1 }, ...options };
  const observer = {
    stateChanged: (...change: unknown[]) => seen.changes.push(change),
    connectionOpened: () => {},
    connectionClosed: () => {},
    connectFailed: () => {},
    probed: () => {},
  } as unknown as EndpointObserver;
  const endpoint = new Endpoint(resolveClientOptions('search', given).endpoint, observer);
  seen.endpoints.push(endpoint);
  jest.spyOn(endpoint.pool, 'state', 'get').mockImplementation(() => seen.pool);
  const startedAt = performance.now();
  jest.spyOn(endpoint.gateway, 'send').mockImplementation(async (_rpc: Rpc) => {
    seen.askedAtMs.push(performance.now() - startedAt);
    if (seen.condition instanceof Error) throw seen.condition;
    return seen.condition;
  });
  endpoint.watch(questions);
  return endpoint;
}

/** It has a connection from now on. */
export function connected(endpoint: Endpoint): Endpoint {
  seen.pool = 'ready';
  // Any news makes it look.
  endpoint.circuit.leave(endpoint.circuit.enter()!, 'failure');
  endpoint.circuit.reset();
  seen.changes.length = 0;
  return endpoint;
}

export const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
export const open = ({ circuit }: Endpoint) => circuit.leave(circuit.enter()!, 'failure');

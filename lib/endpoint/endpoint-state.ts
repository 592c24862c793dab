import type { CircuitState } from '../resilience/circuit-breaker.js';
import type { PoolState } from '../telemetry/pool-telemetry.js';
import type { ServerCondition } from './prober.js';

/** What the state of an endpoint follows from. */
export interface EndpointFacts {
  /** Of its connections alone. */
  readonly pool: PoolState;
  readonly circuit: CircuitState;
  /** What the server last said of itself. */
  readonly server?: ServerCondition;
}

/** The state that users see. The rules in their order; the README draws them. */
export function stateOf({ pool, circuit, server }: EndpointFacts): PoolState {
  if (pool === 'draining' || pool === 'closed') return pool;
  if (circuit === 'open' || server?.healthy === false) return 'unavailable';
  if (pool !== 'ready') return pool;
  return circuit === 'half-open' ? 'degraded' : 'ready';
}

/** Why it is not `ready`, in words, if it is not for its connections. */
export function reasonOf({ pool, circuit, server }: EndpointFacts): string | undefined {
  if (pool === 'draining' || pool === 'closed') return undefined;
  if (server?.healthy === false) return server.reason;
  if (circuit === 'open') return 'the circuit breaker is open: calls fail at once until Milvus answers';
  return circuit === 'half-open' && pool === 'ready' ? 'Milvus is being tried again' : undefined;
}

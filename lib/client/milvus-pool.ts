import type { Observable } from 'rxjs';
import type { CircuitMetrics, CircuitState } from '../resilience/circuit-breaker.js';
import type { HeldLease } from '../telemetry/leases.js';
import type { PoolEvent } from '../telemetry/pool-events.js';
import type { PoolState, PoolStats } from '../telemetry/pool-telemetry.js';
import type { MilvusLease } from './milvus-lease.js';
import type { PooledMilvusClient } from './pooled-milvus-client.js';

export interface MilvusAcquireOptions {
  /**
   * Longest to wait for a lease, in ms; the limit of `with({ timeoutMs })` may be sooner.
   * @defaultValue `pool.acquireTimeoutMs`
   */
  timeoutMs?: number;
}

/** A client's view of the circuit breaker. */
export interface MilvusCircuit {
  readonly state: CircuitState;
  /** A frozen snapshot; with `circuitBreaker: false` it counts all the same. */
  metrics(): CircuitMetrics;
  /** Closes it, and forgets the failures so far. */
  reset(): void;
}

/** A client's view of the connections that carry its calls. */
export interface MilvusPool {
  readonly state: PoolState;
  readonly circuit: MilvusCircuit;
  /** A frozen snapshot, in some 10 µs; valid before the first connection. */
  stats(): PoolStats;
  /**
   * What happens from now on; completes when the client is closed. As with every Observable, a subscriber that throws is
   * an uncaught exception of the process: catch in it what may go wrong.
   */
  readonly events$: Observable<PoolEvent>;
  /** Leases of this client now held longer than `leakDetection.thresholdMs`, the oldest first. */
  leaks(): readonly HeldLease[];
  /**
   * A connection for the caller alone, beside the shared ones; never more than `pool.maxLeases` at once, whoever has
   * waited longest first. Its client has the database, signals and limits of the client that it was acquired through.
   *
   * @throws MilvusPoolExhaustedError when none became free in time, with a snapshot and advice
   * @throws MilvusUnavailableError when no connection could be opened in time
   * @throws MilvusClosedError when the client is draining or closed
   */
  acquire(options?: MilvusAcquireOptions): Promise<MilvusLease>;
  /** Runs `fn` with a lease, and releases it whatever happens. Resolves and rejects as `fn` does, or as `acquire`. */
  withConnection<Result>(
    fn: (client: PooledMilvusClient) => Promise<Result> | Result,
    options?: MilvusAcquireOptions,
  ): Promise<Result>;
  /**
   * Replaces every shared connection: each new one is looked at before it takes the place of an old one, which closes
   * when its calls have ended; leased ones close when they are released. Who asks while it is under way shares it.
   *
   * @throws MilvusUnavailableError when one cannot be opened; the old ones that are left stay
   * @throws MilvusClosedError when the client is draining or closed
   */
  reconnect(): Promise<void>;
}

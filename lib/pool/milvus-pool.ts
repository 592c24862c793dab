import type { PoolState, PoolStats } from '../telemetry/pool-telemetry.js';

/** A client's view of the connections that carry its calls. */
export interface MilvusPool {
  readonly state: PoolState;
  /** A frozen snapshot; cheap, and valid before the first connection. */
  stats(): PoolStats;
}

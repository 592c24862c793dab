import type { HeldLease } from '../telemetry/leases.js';
import type { CallUnderWay } from './calls-in-flight.js';

/** How one client ended; frozen. */
export interface ClientDrainReport {
  readonly client: string;
  /**
   * `clean`: every call ended by itself, every lease was released. `timedOut`: some were not by the limit. `failed`: the drain
   * itself went wrong, as `error` says.
   */
  readonly outcome: 'clean' | 'timedOut' | 'failed';
  /** Calls that were in flight when the drain began and ended by themselves. */
  readonly finishedCalls: number;
  /** Calls that were cancelled at the limit, each with a MilvusClosedError. */
  readonly cancelledCalls: number;
  /** Those, the oldest first, 20 at most. */
  readonly cancelled: readonly CallUnderWay[];
  /** Leases that were still held at the limit; their connections are closed, or back with the other clients of the endpoint. */
  readonly heldLeases: number;
  /** Those, the oldest first, with where each was acquired (unless `leakDetection` is false). */
  readonly leases: readonly HeldLease[];
  readonly durationMs: number;
  readonly error?: string;
}

/** How a drain ended: of one client, or of all. */
export interface DrainReport {
  /** Whether no call had to be cancelled, and no lease taken away. */
  readonly clean: boolean;
  readonly durationMs: number;
  readonly clients: readonly ClientDrainReport[];
}

export function drainReport(clients: readonly ClientDrainReport[]): DrainReport {
  return {
    clean: clients.every(({ outcome }) => outcome === 'clean'),
    // They drain in parallel.
    durationMs: Math.max(0, ...clients.map(({ durationMs }) => durationMs)),
    clients,
  };
}

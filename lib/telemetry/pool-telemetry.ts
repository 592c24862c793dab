import type { CircuitState } from '../resilience/circuit-breaker.js';
import type { ConnectError } from '../transport/connect-error.js';
import type { Durations } from './durations.js';

/**
 * - `idle`: there is no connection, and nobody needs one
 * - `connecting`: there is none yet; one is being made
 * - `ready`: calls have a connection
 * - `degraded`: they have, but the latest try to open another one failed, or one that is open keeps failing, or the circuit breaker is
 *   half-open
 * - `unavailable`: they have none, and the latest try failed; or the circuit breaker is open; or Milvus says that it is not healthy, or
 *   nothing when asked; trying goes on
 * - `draining`: no new calls; those in flight end
 * - `closed`
 */
export type PoolState = 'idle' | 'connecting' | 'ready' | 'degraded' | 'unavailable' | 'draining' | 'closed';

/**
 * Why a connection left the pool: it was `idle`, or at the end of its `lifetime`; `reconnect()` replaced it; a lease was
 * `released` and nobody needed it; it `failed`; the server said `goaway`; the pool was closed (`drain`).
 */
export type CloseReason = 'idle' | 'lifetime' | 'reconnect' | 'released' | 'failed' | 'goaway' | 'drain';

/** What was sent, and sent again. */
export interface SendStats {
  /** RPCs that were sent: a call is one or more of them. */
  readonly rpcs: number;
  /** How often any of them was sent. */
  readonly attempts: number;
  /** Of these, all but the first of each RPC. */
  readonly retries: number;
  /** How often the function of an `execute()` ran again. */
  readonly reruns: number;
  /** Retries that the budget refused. */
  readonly budgetRefusals: number;
  /** RPCs that were to change something, and ended without anybody knowing whether they did. */
  readonly unknownOutcomes: number;
}

/** Of the connections of a pool, and of those who wait for them. */
export interface ConnectionStats {
  /** The connections that all calls share. */
  readonly connections: {
    /** Open, and taking calls. */
    readonly size: number;
    /** Of these, without a call in flight. */
    readonly idle: number;
    /** Of these, with calls in flight. */
    readonly used: number;
    /** Being opened. */
    readonly creating: number;
    /** Taking no new calls; they close when their last one has ended. */
    readonly leaving: number;
    readonly min: number;
    readonly max: number;
    /** `size − min`: above 0 when the pool has grown, below while it has not opened its minimum. */
    readonly overflow: number;
  };
  /** RPCs on the wire, on leased connections too. */
  readonly inFlight: number;
  /** RPCs waiting for room on a shared connection. */
  readonly pending: number;
  readonly leases: {
    readonly held: number;
    /** Callers of `acquire` that wait for one. */
    readonly pending: number;
    readonly max: number;
  };
  /** Connections opened since the pool was made. */
  readonly created: number;
  /** Connections closed since then, by reason. */
  readonly closed: Readonly<Record<CloseReason, number>>;
  /** Waits, for room or for a lease, that ended at their limit. */
  readonly acquireTimeouts: number;
  /** From an RPC's or a lease's wish for a connection to having it, in ms. */
  readonly waitMs: Durations;
  /** Opening a connection, in ms. */
  readonly createMs: Durations;
  /** An RPC on the wire, in ms. */
  readonly useMs: Durations;
}

/** Of one endpoint: its connections, what was sent over them, and the clients that share it. */
export interface EndpointStats extends ConnectionStats {
  /** `host:port`, all of them. */
  readonly address: string;
  readonly state: PoolState;
  readonly circuit: CircuitState;
  /** Names of the clients that use it, the one that came first before the others. */
  readonly clients: readonly string[];
  readonly sends: SendStats;
}

/** A snapshot of a client's pool; frozen. Clients that share an endpoint share everything in it but `calls`. */
export interface PoolStats extends ConnectionStats {
  /** Public methods of this client that were called, and admitted, since it was made. */
  readonly calls: number;
  /** Where they go, and all clients whose calls go there over the same connections. */
  readonly endpoint: { readonly address: string; readonly clients: readonly string[] };
  /** Since the endpoint was made. */
  readonly sends: SendStats;
}

/** Is told what happens in a pool; must not throw. */
export interface PoolObserver {
  stateChanged(from: PoolState, to: PoolState): void;
  /** @param address `host:port` */
  connectionOpened(address: string, tookMs: number): void;
  /** @param detail in words */
  connectionClosed(address: string, reason: CloseReason, detail: string): void;
  connectFailed(error: ConnectError): void;
}

/** Is told what happens in an endpoint; must not throw. */
export interface EndpointObserver extends PoolObserver {
  /** @param reason in words, if it is not for its connections */
  stateChanged(from: PoolState, to: PoolState, reason?: string): void;
  /** The server was asked how it is. */
  probed(condition: { readonly healthy: boolean; readonly reason?: string }, tookMs: number): void;
}

import type { ConnectError } from '../transport/connect-error.js';

/**
 * - `idle`: nothing was asked for yet
 * - `connecting`: the first connection is being made
 * - `ready`: calls have a connection
 * - `degraded`: they have, but the latest try to open another one failed
 * - `unavailable`: they have none, and the latest try failed; trying goes on
 * - `draining`: no new calls; those in flight end
 * - `closed`
 */
export type PoolState = 'idle' | 'connecting' | 'ready' | 'degraded' | 'unavailable' | 'draining' | 'closed';

/** A snapshot of the pool; frozen. */
export interface PoolStats {
  readonly connections: {
    /** Open, closing ones included. */
    readonly size: number;
    /** Without a call in flight. */
    readonly idle: number;
    /** With calls in flight. */
    readonly used: number;
    /** Being opened. */
    readonly creating: number;
    readonly min: number;
    readonly max: number;
  };
  /** RPCs on the wire. */
  readonly inFlight: number;
  /** RPCs waiting for room. */
  readonly pending: number;
}

/** Is told what happens in a pool; must not throw. */
export interface PoolObserver {
  stateChanged(from: PoolState, to: PoolState): void;
  /** @param address `host:port` */
  connectionOpened(address: string, tookMs: number): void;
  connectionClosed(address: string, reason: string): void;
  connectFailed(error: ConnectError): void;
}

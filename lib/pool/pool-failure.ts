import type { MilvusPoolSnapshot } from '../errors/connection-errors.js';
import type { ConnectError } from '../transport/connect-error.js';

/** Why the pool gave a call no connection. Nothing was sent. */
export type PoolFailureReason =
  /** `maxPending` calls were waiting already. */
  | 'line-full'
  /** All connections stayed full for as long as the call could wait. */
  | 'no-room'
  /** All leases stayed in other hands for as long as the call could wait. */
  | 'no-lease'
  /** No connection could be made, and waiting did not or would not help. */
  | 'unreachable'
  /** The lease's connection had no room for another RPC of its holder. */
  | 'lease-full'
  /** The lease's connection takes no calls any more. */
  | 'lease-lost'
  /** The lease was given back. */
  | 'released'
  /** The pool is draining or closed. */
  | 'closed';

/** The pool's own limit, or the one that whoever waited had. */
export type WaitLimit = 'pool.acquireTimeoutMs' | 'own';

export class PoolFailure extends Error {
  constructor(
    readonly reason: PoolFailureReason,
    readonly snapshot: MilvusPoolSnapshot,
    /** The latest failure to connect, if that is what stands in the way. */
    readonly connectError?: ConnectError,
    /** The limit that ended the wait. */
    readonly waited?: WaitLimit,
    /** The server is away for certain; not only for lack of time to find out. */
    readonly confirmed = false,
  ) {
    super(`no connection: ${reason}`, { cause: connectError });
    this.name = 'PoolFailure';
  }
}

import type { MilvusPoolSnapshot } from '../errors/connection-errors.js';
import type { ConnectError } from '../transport/connect-error.js';

/** Why the pool gave a call no connection. Nothing was sent. */
export type PoolFailureReason =
  /** `maxPending` calls were waiting already. */
  | 'line-full'
  /** All connections stayed full for `acquireTimeoutMs`. */
  | 'no-room'
  /** No connection could be made, and waiting did not or would not help. */
  | 'unreachable'
  /** The pool is draining or closed. */
  | 'closed';

export class PoolFailure extends Error {
  constructor(
    readonly reason: PoolFailureReason,
    readonly snapshot: MilvusPoolSnapshot,
    /** The latest failure to connect, if that is what stands in the way. */
    readonly connectError?: ConnectError,
  ) {
    super(`no connection: ${reason}`, { cause: connectError });
    this.name = 'PoolFailure';
  }
}

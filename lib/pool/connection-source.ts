import type { Member, PooledConnection } from './member.js';
import type { PoolFailure } from './pool-failure.js';
import type { Verdict } from './trust.js';

/** Somebody who wants to send one RPC. One of the two functions is called, once for each `acquire`. */
export interface PoolUser<Connection extends PooledConnection> {
  /** Its place among those who wait, given by the first `acquire`: whoever comes again stands in front of later ones. */
  ticket?: number;
  /** Not this one if there is room on another. */
  readonly avoid?: Member<Connection>;
  /** Sends on this connection, now: there is room for exactly this one. */
  use(member: Member<Connection>): void;
  fail(failure: PoolFailure): void;
}

/** Where RPCs find a connection: the pool, or a lease. */
export interface ConnectionSource<Connection extends PooledConnection> {
  /**
   * Gives the user a connection with room: at once if there is one, else in its turn.
   *
   * @param limitMs longest to wait; `acquireTimeoutMs` may be sooner
   * @returns takes the user out of the line; harmless once one of its functions was called
   */
  acquire(user: PoolUser<Connection>, limitMs: number): () => void;
  /** What keeps those who wait from getting a connection. */
  whyNone(): PoolFailure;
  /** What an RPC that was sent says of its connection. */
  ended(member: Member<Connection>, verdict: Verdict, sentAt: number): void;
}

export const nothingToLeave = () => {};

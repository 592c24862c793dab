import { type ConnectionSource, nothingToLeave, type PoolUser } from './connection-source.js';
import type { Member, PooledConnection } from './member.js';
import type { PoolFailure, PoolFailureReason, WaitLimit } from './pool-failure.js';
import type { Verdict } from './trust.js';
import type { WaitingLine } from './waiting-line.js';

/** What a lease needs of its pool. */
export interface LeaseOwner<Connection extends PooledConnection> {
  readonly acquireTimeoutMs: number;
  ended(member: Member<Connection>, verdict: Verdict, sentAt: number): void;
  now(): number;
  newLine<User>(): WaitingLine<User>;
  waited(ms: number): void;
  /**
   * @param inLine of those that wait for this lease's connection
   * @param waited the limit that ended the wait
   */
  failure(reason: PoolFailureReason, inLine: number, waited?: WaitLimit): PoolFailure;
  released(lease: Lease<Connection>): void;
}

/** One connection for one holder, until it is released. */
export class Lease<Connection extends PooledConnection> implements ConnectionSource<Connection> {
  private over = false;
  /** The holder's own RPCs, when they are more at once than a connection takes. */
  private readonly line: WaitingLine<PoolUser<Connection>>;

  constructor(
    readonly member: Member<Connection>,
    private readonly owner: LeaseOwner<Connection>,
  ) {
    this.line = owner.newLine();
  }

  get released(): boolean {
    return this.over;
  }

  acquire(user: PoolUser<Connection>, limitMs: number): () => void {
    const { member, line } = this;
    if (this.over || !member.connection.open || line.full) {
      user.fail(this.over ? this.owner.failure('released', 0) : this.whyNone());
      return nothingToLeave;
    }
    user.ticket ??= line.ticket();
    if (line.pending === 0 && member.hasRoom) {
      this.owner.waited(0);
      member.give(user);
      return nothingToLeave;
    }
    const { acquireTimeoutMs } = this.owner;
    const onLimit = () =>
      user.fail(this.whyNone(limitMs < acquireTimeoutMs ? 'own' : 'pool.acquireTimeoutMs'));
    const place = line.join(user, Math.min(limitMs, acquireTimeoutMs), onLimit, user.ticket);
    return () => line.leave(place);
  }

  whyNone(waited?: WaitLimit): PoolFailure {
    const { line, member } = this;
    return this.owner.failure(member.connection.open ? 'lease-full' : 'lease-lost', line.pending, waited);
  }

  ended(member: Member<Connection>, verdict: Verdict, sentAt: number): void {
    this.owner.ended(member, verdict, sentAt);
  }

  /**
   * Gives the connection back. What is on the wire goes on there, and what its calls still want to send finds another way.
   * Harmless when it was released before.
   */
  release(): void {
    if (this.over) return;
    this.over = true;
    this.failAll('released');
    this.owner.released(this);
  }

  /** Its connection takes no calls any more. @internal */
  lost(): void {
    this.failAll('lease-lost');
  }

  /** There may be room on its connection. @internal */
  serve(): void {
    while (this.line.pending > 0 && this.member.hasRoom) {
      const { waiter, since } = this.line.next()!;
      this.owner.waited(this.owner.now() - since);
      this.member.give(waiter);
    }
  }

  private failAll(reason: PoolFailureReason): void {
    for (const waiter of this.line.everybody()) waiter.fail(this.owner.failure(reason, this.line.pending));
  }
}

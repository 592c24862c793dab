import type { Clock } from '../resilience/clock.js';
import type { Member, PooledConnection } from './member.js';
import type { Verdict } from './trust.js';

/** How long a connection in doubt has to show that it lives, in ms: several trips around the world. */
export const CHECK_LIMIT_MS = 1_000;

/**
 * A connection that has just shown that it lives is not asked again sooner, in ms, however many calls time out: Milvus
 * takes more than one PING in 5 s for an attack.
 */
const CHECK_PAUSE_MS = 5_000;

/** What the inspector finds. */
export interface InspectorOwner<Connection extends PooledConnection> {
  /** It lives, or works again: it may be given calls. */
  usable(member: Member<Connection>): void;
  /** Whether it works again is to be seen. */
  worthATry(member: Member<Connection>): void;
  /** It said nothing. */
  silent(member: Member<Connection>): void;
  /** It fails again and again, and nothing is known of the others: the next calls go to them if they are no busier. */
  letOthersTry(member: Member<Connection>): void;
  /** Some may be given calls that were not, or the reverse. */
  inspected(): void;
}

/** Finds out which of a pool's connections live, and which of those deserve calls. */
export class Inspector<Connection extends PooledConnection> {
  constructor(
    private readonly validateAfterIdleMs: number,
    private readonly shared: readonly Member<Connection>[],
    private readonly owner: InspectorOwner<Connection>,
    private readonly clock: Clock,
  ) {}

  /** Whether it has been idle for so long that it is to be checked before it gets a call. */
  outOfTouch(member: Member<Connection>): boolean {
    const limitMs = member.unused
      ? Math.max(this.validateAfterIdleMs, CHECK_LIMIT_MS)
      : this.validateAfterIdleMs;
    return this.clock.now() - member.idleSince >= limitMs;
  }

  /** Asks it whether it lives. Calls wait, or go to others, until it has said so. */
  check(member: Member<Connection>): void {
    if (member.inDoubt || member.leaving) return;
    member.doubtedSince = this.clock.now();
    void member.connection.check(CHECK_LIMIT_MS).then(alive => {
      member.doubtedSince = undefined;
      if (member.leaving) return;
      if (alive) {
        member.lives(this.clock.now());
        this.owner.usable(member);
      } else {
        this.owner.silent(member);
      }
      this.owner.inspected();
    });
  }

  /** What an RPC that was sent on it says of it. */
  ended(member: Member<Connection>, verdict: Verdict, sentAt: number, now: number): void {
    if (verdict === 'nothing' || verdict === 'unanswered') return;
    const { trust } = member;
    if (verdict === 'answered') {
      if (!trust.answered(now)) return;
      member.rest?.cancel();
      this.owner.usable(member);
      return this.owner.inspected();
    }
    if (verdict === 'silent' && now >= member.checkedAt + CHECK_PAUSE_MS) this.check(member);
    // That a caller had little time says nothing of the connection.
    if (verdict === 'silent' && now - sentAt < CHECK_LIMIT_MS) return;
    if (trust.failed(now)) this.onKeepsFailing(member);
  }

  /** Nobody may be left who works: then those that rest are tried. */
  tryResting(): void {
    if (!this.shared.every(({ trust }) => trust.resting)) return;
    for (const member of this.shared) this.tryAgain(member);
  }

  /** Leaves it alone for a while if others do work. */
  private onKeepsFailing(member: Member<Connection>): void {
    const { trust } = member;
    const others = this.shared.filter(each => each !== member && !each.trust.resting);
    const othersWork = others.some(each => each.trust.answeredAt > trust.failingSince);
    const isShared = this.shared.includes(member);
    if (!isShared || !othersWork) {
      trust.forgive();
      if (isShared) this.owner.letOthersTry(member);
      return this.owner.worthATry(member);
    }
    member.rest?.cancel();
    member.rest = this.clock.schedule(() => this.tryAgain(member), trust.rest());
    this.owner.inspected();
  }

  private tryAgain(member: Member<Connection>): void {
    member.rest?.cancel();
    member.trust.tryAgain();
    this.owner.worthATry(member);
    this.owner.inspected();
  }
}

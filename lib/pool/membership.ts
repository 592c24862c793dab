import type { Clock } from '../resilience/clock.js';
import type { CloseReason, PoolObserver } from '../telemetry/pool-telemetry.js';
import type { Ageing } from './ageing.js';
import type { Demand } from './demand.js';
import type { Dispatcher } from './dispatcher.js';
import { CHECK_LIMIT_MS, type Inspector } from './inspector.js';
import type { LeaseDesk } from './lease-desk.js';
import { Member, type PooledConnection } from './member.js';
import type { Opener } from './opener.js';
import type { PoolFigures } from './pool-figures.js';
import type { PoolReport } from './pool-report.js';
import type { Roster } from './roster.js';

/** For logs and events. */
const inWords: Record<CloseReason, string> = {
  idle: 'it had no calls',
  lifetime: 'it was replaced at the end of its lifetime',
  reconnect: 'reconnect() replaced it',
  released: 'its lease was released, and nobody needed it',
  failed: `the server said nothing on it for ${CHECK_LIMIT_MS} ms`,
  goaway: 'the server said GOAWAY',
  drain: 'the client is being closed',
};

export interface MembershipParts<Connection extends PooledConnection> {
  readonly options: { readonly maxStreamsPerConnection: number };
  readonly roster: Roster<Connection>;
  readonly line: { readonly pending: number };
  readonly desk: LeaseDesk<Connection>;
  readonly demand: Demand<Connection>;
  readonly dispatcher: Dispatcher<Connection>;
  readonly opener: Opener<Connection>;
  readonly ageing: Ageing<Connection>;
  readonly inspector: Inspector<Connection>;
  readonly figures: PoolFigures;
  readonly report: PoolReport<Connection>;
  readonly observer: PoolObserver;
  readonly clock: Clock;
}

/** Whose connections they are. */
export interface MembershipOwner {
  /** Nobody is admitted any more. */
  readonly closing: boolean;
  /** There is one less, or one that may be done without. */
  changed(): void;
}

/** What becomes of each connection: examined if need be, shared, leased or swapped in, at last closed. */
export class Membership<Connection extends PooledConnection> {
  constructor(
    private readonly parts: MembershipParts<Connection>,
    private readonly owner: MembershipOwner,
  ) {}

  /**
   * One was opened.
   *
   * @throws ConnectError when nothing is answered on it
   */
  admit(connection: Connection, tookMs: number): Promise<void> | void {
    const { options, roster, demand, ageing, opener, figures, observer, clock } = this.parts;
    demand.suspicious = false;
    const now = clock.now();
    const member = new Member(connection, now, ageing.expiry(now), options.maxStreamsPerConnection);
    roster.members.add(member);
    figures.opened(tookMs);
    observer.connectionOpened(connection.authority, tookMs);
    connection.listen({
      onRoom: () => this.onRoom(member),
      onClosing: () => this.onClosing(member),
      onClosed: () => this.onClosed(member),
    });
    if (this.owner.closing) return this.end(member, 'drain', 'destroy');
    if (member.leaving) return;
    // What failed a moment ago may take connections before it takes calls.
    return opener.lastError ? this.placeIfAlive(member) : this.place(member);
  }

  share(member: Member<Connection>): void {
    this.parts.roster.shared.push(member);
    this.parts.ageing.plan();
  }

  /** It said nothing when it was asked whether it lives. */
  silent(member: Member<Connection>): void {
    this.broke(member);
    // Should its calls be answered after all, they may; the keepalive knows when to give up.
    this.end(member, 'failed', member.idle ? 'destroy' : 'close');
    // What one lost, as to a NAT gateway that forgot it, others may have lost too.
    this.parts.demand.suspicious = true;
  }

  /** It takes no calls any more, and is closed. */
  end(member: Member<Connection>, reason: CloseReason, how: 'close' | 'destroy'): void {
    this.remove(member, reason);
    member.connection[how](inWords[reason]);
  }

  /** As {@link end}, all of them. */
  endAll(how: 'close' | 'destroy'): void {
    for (const member of this.parts.roster.members) {
      this.remove(member, 'drain');
      member.connection[how]();
    }
  }

  /** @throws ConnectError when nothing is answered on it */
  private async placeIfAlive(member: Member<Connection>): Promise<void> {
    await this.examine(member);
    if (!member.leaving) await this.place(member, true);
  }

  /** @throws ConnectError */
  private async examine(member: Member<Connection>): Promise<void> {
    const { clock, report } = this.parts;
    member.doubtedSince = clock.now();
    const alive = await member.connection.check(CHECK_LIMIT_MS);
    member.doubtedSince = undefined;
    if (!alive) {
      this.end(member, 'failed', 'destroy');
      throw report.unanswered(CHECK_LIMIT_MS);
    }
    member.lives(clock.now());
  }

  /**
   * Puts a new connection where it is needed most.
   *
   * @param examined it has just shown that it lives
   */
  private place(member: Member<Connection>, examined = false): Promise<void> | void {
    const { roster, line, desk, demand, dispatcher } = this.parts;
    const { shared, hasPlace } = roster;
    const needed = hasPlace && (line.pending > 0 || shared.length < demand.minShared);
    if (!needed && desk.wants) return desk.give(member);
    const old = needed ? undefined : shared.find(({ due }) => due);
    if (old) return this.replace(old, member, examined);
    if (!hasPlace) return this.end(member, 'idle', 'close');
    this.share(member);
    dispatcher.serve(member);
  }

  /** Swaps a connection for a new one once that has shown that it lives. No call is lost on either. */
  private async replace(
    old: Member<Connection>,
    member: Member<Connection>,
    examined: boolean,
  ): Promise<void> {
    const { roster, dispatcher, ageing } = this.parts;
    if (!examined) await this.examine(member);
    if (member.leaving) return;
    const { due } = old;
    if (!due || !roster.swap(old, member)) return this.place(member, true);
    this.end(old, due, 'close');
    dispatcher.serve(member);
    ageing.plan();
  }

  private onRoom(member: Member<Connection>): void {
    const { dispatcher, demand, clock } = this.parts;
    if (member.idle && member.busy) member.rests(clock.now());
    dispatcher.serve(member);
    if (demand.windingDown) this.owner.changed();
  }

  /** By itself. Its replacement is opened while its last calls are still in flight. */
  private onClosing(member: Member<Connection>): void {
    if (member.leaving) return;
    this.remove(member, member.connection.saidGoaway ? 'goaway' : 'failed');
    this.broke(member);
    this.owner.changed();
  }

  private onClosed(member: Member<Connection>): void {
    const { roster, figures, observer } = this.parts;
    roster.members.delete(member);
    const { authority, closeReason = 'closed' } = member.connection;
    const reason = member.leaving ?? 'failed';
    figures.closedFor(reason);
    observer.connectionClosed(authority, reason, closeReason);
    this.owner.changed();
  }

  /** It takes no calls any more. */
  private remove(member: Member<Connection>, reason: CloseReason): void {
    if (member.leaving) return;
    member.leaving = reason;
    member.rest?.cancel();
    this.parts.roster.unshare(member);
    this.parts.desk.leaseOf(member)?.lost();
    this.parts.inspector.tryResting();
  }

  private broke(member: Member<Connection>): void {
    const { opener, clock } = this.parts;
    opener.broke(clock.now() - member.openedAt);
  }
}

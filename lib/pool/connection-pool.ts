import type { EndpointOptions } from '../options/resolved-options.js';
import { type Clock, systemClock } from '../resilience/clock.js';
import type { CloseReason, ConnectionStats, PoolObserver, PoolState } from '../telemetry/pool-telemetry.js';
import type { ConnectError } from '../transport/connect-error.js';
import { Ageing } from './ageing.js';
import { type ConnectionSource, nothingToLeave, type PoolUser } from './connection-source.js';
import { CHECK_LIMIT_MS, Inspector } from './inspector.js';
import type { Lease } from './lease.js';
import { LeaseDesk, type LeaseUser } from './lease-desk.js';
import { leastBusy, Member, type PooledConnection } from './member.js';
import { type Connector, Opener } from './opener.js';
import type { PoolFailure, PoolFailureReason, WaitLimit } from './pool-failure.js';
import { PoolFigures } from './pool-figures.js';
import { PoolReport } from './pool-report.js';
import { Renewal } from './renewal.js';
import type { Verdict } from './trust.js';
import { WaitingLine } from './waiting-line.js';

/**
 * Another connection is opened when each of those there has more calls than this in flight. Up to 8 to 16 one serves them as
 * well as two do; from there on two serve up to a third more (bench/results/growth.md).
 */
const GROW_AT_IN_FLIGHT = 8;

/** For logs and events. */
const inWords: Record<CloseReason, string> = {
  idle: 'it had no calls',
  lifetime: 'it was replaced at the end of its lifetime',
  reconnect: 'reconnect() replaced it',
  released: 'its lease was released, and nobody needed it',
  failed: `the server said nothing on it for ${CHECK_LIMIT_MS} ms`,
  goaway: 'the server said GOAWAY',
  drain: 'the client was closed',
};

/**
 * The connections of one endpoint, most of them shared by many calls, some leased to one holder each, and the line of
 * calls that wait for room.
 */
export class ConnectionPool<Connection extends PooledConnection> implements ConnectionSource<Connection> {
  /** Every connection whose socket may be open. */
  private readonly members = new Set<Member<Connection>>();
  /** Those of them that take calls of everybody. */
  private readonly shared: Member<Connection>[] = [];
  private readonly line: WaitingLine<PoolUser<Connection>>;
  private readonly desk: LeaseDesk<Connection>;
  private readonly opener: Opener<Connection>;
  private readonly ageing: Ageing<Connection>;
  private readonly inspector: Inspector<Connection>;
  private readonly renewal = new Renewal();
  private readonly figures = new PoolFigures();
  private readonly report: PoolReport<Connection>;
  private started = false;
  /** The last connection that was asked whether it lives said nothing. */
  private suspicious = false;
  private closing = false;
  private reportedState: PoolState = 'idle';
  private whenGone: Array<() => void> = [];

  constructor(
    private readonly options: EndpointOptions['pool'],
    connect: Connector<Connection>,
    private readonly observer: PoolObserver,
    private readonly clock: Clock = systemClock,
    random: () => number = Math.random,
    /** What it connects to, for messages. */
    target = 'Milvus',
  ) {
    this.line = this.newLine();
    this.desk = new LeaseDesk(options.maxLeases, this.leaseOwner());
    this.opener = new Opener(this, connect, clock, random);
    this.inspector = new Inspector(options.validateAfterIdleMs, this.shared, this, clock);
    this.ageing = new Ageing(options, this.shared, this, clock, random);
    const { members, shared, line, desk, opener, figures } = this;
    this.report = new PoolReport({ options, members, shared, line, desk, opener, figures, clock, target });
  }

  get state(): PoolState {
    if (this.closing) return this.gone ? 'closed' : 'draining';
    if (this.shared.length > 0) {
      const some = this.opener.lastError || this.shared.some(({ trust }) => trust.resting);
      return some ? 'degraded' : 'ready';
    }
    if (this.opener.lastError) return 'unavailable';
    return this.opener.active ? 'connecting' : 'idle';
  }

  /** Whether any of its connections has been answered since then. */
  answeredSince(time: number): boolean {
    return this.shared.some(({ trust }) => trust.answeredAt >= time);
  }

  stats(): ConnectionStats {
    return this.report.stats();
  }

  /** Opens `minConnections` in the background, and keeps them open from now on. */
  start(): void {
    this.started = true;
    this.tend();
  }

  acquire(user: PoolUser<Connection>, limitMs: number): () => void {
    const again = user.ticket !== undefined;
    user.ticket ??= this.line.ticket();
    const member = this.choose(user.avoid);
    if (!member || this.line.pending > 0) return this.wait(user, limitMs, again);
    this.figures.waited(0);
    member.give(user);
    // The least busy of all: so are the others.
    if (member.connection.inFlight > GROW_AT_IN_FLIGHT && this.mayGrow) this.tend();
    return nothingToLeave;
  }

  whyNone(waited?: WaitLimit): PoolFailure {
    const full = this.shared.some(({ inDoubt }) => !inDoubt);
    return this.failure(full ? 'no-room' : 'unreachable', this.line.pending, waited);
  }

  ended(member: Member<Connection>, verdict: Verdict, sentAt: number): void {
    const now = this.clock.now();
    this.figures.used(now - sentAt);
    this.inspector.ended(member, verdict, sentAt, now);
  }

  /**
   * Gives the user a connection that is nobody else's, in his turn.
   *
   * @param limitMs longest to wait
   * @returns as for {@link acquire}
   */
  lease(user: LeaseUser<Connection>, limitMs: number): () => void {
    const { line } = this.desk;
    if (this.closing || line.full) {
      user.fail(this.failure(this.closing ? 'closed' : 'no-lease', line.pending));
      return nothingToLeave;
    }
    const place = line.join(user, limitMs, () => user.fail(this.whyNoLease()));
    this.tend();
    return () => line.leave(place);
  }

  /** What keeps those who wait from getting a lease. */
  whyNoLease(): PoolFailure {
    const { desk } = this;
    const allHeld = desk.held >= this.options.maxLeases;
    return this.failure(allHeld ? 'no-lease' : 'unreachable', desk.line.pending, 'own');
  }

  /**
   * Replaces every shared connection: opens a new one, looks whether it lives, swaps it in, and lets the old one's calls
   * end. Whoever asks meanwhile gets the same promise.
   *
   * @throws PoolFailure when one could not be opened; what is not replaced by then stays
   */
  reconnect(): Promise<void> {
    if (this.closing) return Promise.reject(this.failure('closed'));
    if (!this.renewal.underWay) {
      for (const member of this.shared) member.due = 'reconnect';
      // They are closed when they are released.
      for (const member of this.desk.members) member.due = 'reconnect';
    }
    const renewed = this.renewal.begin();
    this.opener.now();
    return renewed;
  }

  /** Admits nobody any more and lets calls in flight end. Resolves when every connection is gone. */
  close(): Promise<void> {
    return this.shutDown(connection => connection.close());
  }

  /** As {@link close}, but ends calls in flight too. */
  destroy(): Promise<void> {
    return this.shutDown(connection => connection.destroy());
  }

  // What the opener asks and tells.

  /** @internal */
  wanted(): 'urgently' | 'yes' | 'no' {
    const { shared, line, desk, settled } = this;
    if (settled && this.hasPlace && line.pending > 0) return 'urgently';
    if (desk.wants) return 'urgently';
    if (this.started && shared.length < this.options.minConnections) return 'yes';
    if (settled && this.hasPlace && shared.length > 0) {
      if (shared.every(member => member.busierThan(GROW_AT_IN_FLIGHT))) return 'yes';
    }
    return this.renewal.underWay || shared.some(({ due }) => due) ? 'yes' : 'no';
  }

  /** @internal */
  opened(connection: Connection, tookMs: number): Promise<void> | void {
    this.suspicious = false;
    const now = this.clock.now();
    const member = new Member(connection, now, this.ageing.expiry(now), this.options.maxStreamsPerConnection);
    this.members.add(member);
    this.figures.opened(tookMs);
    this.observer.connectionOpened(connection.authority, tookMs);
    connection.listen({
      onRoom: () => this.onRoom(member),
      onClosing: () => this.onClosing(member),
      onClosed: () => this.onClosed(member),
    });
    if (this.closing) return this.end(member, 'drain', 'destroy');
    if (member.leaving) return;
    // What failed a moment ago may take connections before it takes calls.
    return this.opener.lastError ? this.placeIfAlive(member) : this.place(member);
  }

  /** @internal */
  failed(error: ConnectError): void {
    this.observer.connectFailed(error);
    for (const member of this.members) if (member.due === 'reconnect') member.due = undefined;
    this.ageing.plan();
    this.renewal.fail(() => this.failure('unreachable'));
    // Waiting does not mend a certificate or a wrong port: say so at once.
    if (!error.permanent || this.shared.length > 0) return;
    this.failAll('unreachable');
  }

  /** @internal */
  changed(): void {
    this.tend();
    this.tellIfGone();
  }

  // What ageing asks and tells.

  /** @internal */
  canDoWithout(member: Member<Connection>): boolean {
    const others = this.shared.filter(each => each !== member);
    return others.length === 0 || others.some(each => !each.busierThan(GROW_AT_IN_FLIGHT));
  }

  /** @internal */
  retire(member: Member<Connection>, reason: CloseReason): void {
    this.end(member, reason, 'close');
    this.reportState();
  }

  /** @internal */
  due(): void {
    this.tend();
  }

  // What the inspector finds.

  /** @internal */
  usable(member: Member<Connection>): void {
    this.suspicious = false;
    this.serve(member);
  }

  /** @internal */
  worthATry(member: Member<Connection>): void {
    this.offer(member);
  }

  /** @internal */
  silent(member: Member<Connection>): void {
    // A holder's calls go on as long as they can.
    if (this.desk.leaseOf(member)) return this.serve(member);
    this.opener.broke(this.clock.now() - member.openedAt);
    // Should its calls be answered after all, they may; the keepalive knows when to give up.
    this.end(member, 'failed', member.idle ? 'destroy' : 'close');
    // What one lost, as to a NAT gateway that forgot it, others may have lost too.
    this.suspicious = true;
  }

  /** @internal */
  letOthersTry(member: Member<Connection>): void {
    const { shared } = this;
    // Of equally busy ones the first is taken.
    shared.push(...shared.splice(shared.indexOf(member), 1));
  }

  /** @internal */
  inspected(): void {
    this.tend();
  }

  /** @param again it has had its turn before, and is not turned away */
  private wait(user: PoolUser<Connection>, limitMs: number, again: boolean): () => void {
    const { line } = this;
    if (this.closing || (line.full && !again)) {
      user.fail(this.failure(this.closing ? 'closed' : 'line-full'));
      return nothingToLeave;
    }
    const { acquireTimeoutMs } = this.options;
    const waited = limitMs < acquireTimeoutMs ? 'own' : 'pool.acquireTimeoutMs';
    const onLimit = () => user.fail(this.whyNone(waited));
    const place = line.join(user, Math.min(limitMs, acquireTimeoutMs), onLimit, user.ticket);
    this.start();
    return () => line.leave(place);
  }

  private newLine<User>(): WaitingLine<User> {
    return new WaitingLine(this.options.maxPending, this.clock, () => this.figures.timedOut());
  }

  /** The least busy one that may be taken to live, and rather another one than `avoid`. */
  private choose(avoid: Member<Connection> | undefined): Member<Connection> | undefined {
    const { inspector, shared } = this;
    if (avoid) {
      const others = shared.filter(
        member => member !== avoid && !(member.idle && inspector.outOfTouch(member)),
      );
      const other = leastBusy(others);
      if (other) return other;
    }
    const best = leastBusy(shared);
    if (!best?.idle || !inspector.outOfTouch(best)) return best;
    // The call goes to another one meanwhile, or waits. What was checked and not needed is not checked again for nothing.
    const other = leastBusy(this.shared.filter(member => !member.idle || !inspector.outOfTouch(member)));
    if (!other || !best.unused) inspector.check(best);
    return other;
  }

  /** What becomes of one in doubt is known in a moment, and mostly good: nothing is done for it until then. */
  private get settled(): boolean {
    return this.suspicious || !this.shared.some(({ inDoubt }) => inDoubt);
  }

  private get hasPlace(): boolean {
    return this.shared.length < this.options.maxConnections;
  }

  private get mayGrow(): boolean {
    return this.hasPlace && !this.opener.active;
  }

  /** Does whatever is to be done: leases that can be had at once, connections to open, news of the state. */
  private tend(): void {
    for (let spare = this.spare(); spare; spare = this.spare()) {
      this.shared.splice(this.shared.indexOf(spare), 1);
      this.desk.give(spare);
      this.inspector.tryResting();
    }
    // Nobody waits beside a connection that could serve him.
    if (this.line.pending > 0 && this.settled) for (const member of [...this.shared]) this.offer(member);
    this.renewal.doneIf(() => this.shared.length > 0 && this.shared.every(({ due }) => due !== 'reconnect'));
    const wanted = this.opener.look();
    // A try to grow failed, but what is open is enough again.
    if (!wanted && this.shared.length > 0) this.opener.lastError = undefined;
    this.reportState();
  }

  /** A shared connection that the next in line for a lease can have. */
  private spare(): Member<Connection> | undefined {
    if (!this.desk.wants || this.line.pending > 0) return undefined;
    if (this.shared.length <= this.options.minConnections) return undefined;
    return this.shared.findLast(member => this.isSpare(member));
  }

  private isSpare(member: Member<Connection>): boolean {
    return member.idle && member.inGoodStanding && !this.inspector.outOfTouch(member);
  }

  /** @throws ConnectError when nothing is answered on it */
  private async placeIfAlive(member: Member<Connection>): Promise<void> {
    await this.examine(member);
    if (!member.leaving) await this.place(member, true);
  }

  /** @throws ConnectError */
  private async examine(member: Member<Connection>): Promise<void> {
    member.doubtedSince = this.clock.now();
    const alive = await member.connection.check(CHECK_LIMIT_MS);
    member.doubtedSince = undefined;
    if (!alive) {
      this.end(member, 'failed', 'destroy');
      throw this.report.unanswered(CHECK_LIMIT_MS);
    }
    member.lives(this.clock.now());
  }

  /**
   * Puts a new connection where it is needed most.
   *
   * @param examined it has just shown that it lives
   */
  private place(member: Member<Connection>, examined = false): Promise<void> | void {
    const { shared, desk } = this;
    const { minConnections } = this.options;
    const needed = this.hasPlace && (this.line.pending > 0 || shared.length < minConnections);
    if (!needed && desk.wants) return desk.give(member);
    const old = needed ? undefined : shared.find(({ due }) => due);
    if (old) return this.replace(old, member, examined);
    if (!this.hasPlace) return this.end(member, 'idle', 'close');
    this.share(member);
    this.serve(member);
  }

  private share(member: Member<Connection>): void {
    this.shared.push(member);
    this.ageing.plan();
  }

  /** Swaps a connection for a new one once that has shown that it lives. No call is lost on either. */
  private async replace(
    old: Member<Connection>,
    member: Member<Connection>,
    examined: boolean,
  ): Promise<void> {
    if (!examined) await this.examine(member);
    if (member.leaving) return;
    const index = this.shared.indexOf(old);
    if (index < 0) return this.place(member, true);
    this.shared[index] = member;
    this.end(old, old.due ?? 'lifetime', 'close');
    this.serve(member);
    this.ageing.plan();
  }

  private onRoom(member: Member<Connection>): void {
    if (member.idle && member.busy) member.rests(this.clock.now());
    this.serve(member);
  }

  /** Gives its room to those who wait for it. */
  private serve(member: Member<Connection>): void {
    if (member.leaving) return;
    const lease = this.desk.leaseOf(member);
    if (lease) return lease.serve();
    while (this.line.pending > 0 && member.hasRoom) {
      const { waiter, since } = this.line.next()!;
      this.figures.waited(this.clock.now() - since);
      member.give(waiter);
    }
  }

  /** To whoever waits; one that was idle for long is asked first. */
  private offer(member: Member<Connection>): void {
    if (member.idle && this.line.pending > 0 && this.inspector.outOfTouch(member))
      this.inspector.check(member);
    else this.serve(member);
  }

  private end(member: Member<Connection>, reason: CloseReason, how: 'close' | 'destroy'): void {
    this.remove(member, reason);
    member.connection[how](inWords[reason]);
  }

  /** It takes no calls any more. */
  private remove(member: Member<Connection>, reason: CloseReason): void {
    if (member.leaving) return;
    member.leaving = reason;
    member.rest?.cancel();
    const index = this.shared.indexOf(member);
    if (index >= 0) this.shared.splice(index, 1);
    this.desk.leaseOf(member)?.lost();
    this.inspector.tryResting();
  }

  /** By itself. Its replacement is opened while its last calls are still in flight. */
  private onClosing(member: Member<Connection>): void {
    if (member.leaving) return;
    this.remove(member, member.connection.saidGoaway ? 'goaway' : 'failed');
    this.opener.broke(this.clock.now() - member.openedAt);
    this.tend();
  }

  private onClosed(member: Member<Connection>): void {
    this.members.delete(member);
    const { authority, closeReason = 'closed' } = member.connection;
    const reason = member.leaving ?? 'failed';
    this.figures.closedFor(reason);
    this.observer.connectionClosed(authority, reason, closeReason);
    this.tend();
    this.tellIfGone();
  }

  private leaseOwner() {
    return {
      acquireTimeoutMs: this.options.acquireTimeoutMs,
      ended: this.ended.bind(this),
      now: () => this.clock.now(),
      newLine: <User>() => this.newLine<User>(),
      waited: (ms: number) => this.figures.waited(ms),
      failure: (reason: PoolFailureReason, pending: number, waited?: WaitLimit) =>
        this.failure(reason, pending, waited),
      released: (lease: Lease<Connection>) => this.onReleased(lease),
    };
  }

  private onReleased(lease: Lease<Connection>): void {
    const { desk } = this;
    const { member } = lease;
    desk.takeBack(lease);
    if (!member.leaving) {
      if (this.clock.now() >= member.expiresAt) member.due ??= 'lifetime';
      if (member.due) this.end(member, member.due, 'close');
      else if (desk.wants && this.isSpare(member)) desk.give(member);
      else if (this.hasPlace) {
        this.share(member);
        this.offer(member);
      } else this.end(member, 'released', 'close');
    }
    this.tend();
  }

  private shutDown(end: (connection: Connection) => void): Promise<void> {
    this.closing = true;
    this.opener.stop();
    this.ageing.stop();
    this.failAll('closed');
    this.renewal.fail(() => this.failure('closed'));
    for (const member of this.members) {
      this.remove(member, 'drain');
      end(member.connection);
    }
    this.reportState();
    return new Promise(resolve => {
      this.whenGone.push(resolve);
      this.tellIfGone();
    });
  }

  private get gone(): boolean {
    return this.closing && !this.opener.opening && this.members.size === 0;
  }

  private tellIfGone(): void {
    if (!this.gone) return;
    this.reportState();
    for (const resolve of this.whenGone.splice(0)) resolve();
  }

  private reportState(): void {
    const from = this.reportedState;
    const to = this.state;
    if (from === to) return;
    this.reportedState = to;
    this.observer.stateChanged(from, to);
  }

  /** Ends everybody's waiting. */
  private failAll(reason: PoolFailureReason): void {
    for (const line of [this.line, this.desk.line]) {
      for (const waiter of line.everybody()) waiter.fail(this.failure(reason, line.pending));
    }
  }

  private failure(reason: PoolFailureReason, pending = this.line.pending, waited?: WaitLimit): PoolFailure {
    return this.report.failure(reason, pending, waited);
  }
}

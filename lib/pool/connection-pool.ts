import type { EndpointOptions } from '../options/resolved-options.js';
import { type Clock, systemClock } from '../resilience/clock.js';
import type { ConnectionStats, PoolObserver, PoolState } from '../telemetry/pool-telemetry.js';
import { type ConnectionSource, nothingToLeave, type PoolUser } from './connection-source.js';
import type { Demand } from './demand.js';
import type { Dispatcher } from './dispatcher.js';
import type { Inspector } from './inspector.js';
import type { LeaseDesk, LeaseUser } from './lease-desk.js';
import type { Member, PooledConnection } from './member.js';
import type { Connector } from './opener.js';
import type { PoolFailure, WaitLimit } from './pool-failure.js';
import type { PoolFigures } from './pool-figures.js';
import type { Verdict } from './trust.js';
import { Upkeep } from './upkeep.js';
import type { WaitingLine } from './waiting-line.js';

/**
 * The connections of one endpoint, most of them shared by many calls, some leased to one holder each, and the line of
 * calls that wait for room.
 */
export class ConnectionPool<Connection extends PooledConnection> implements ConnectionSource<Connection> {
  private readonly upkeep: Upkeep<Connection>;
  // Of its parts, those that every RPC meets.
  private readonly line: WaitingLine<PoolUser<Connection>>;
  private readonly dispatcher: Dispatcher<Connection>;
  private readonly demand: Demand<Connection>;
  private readonly inspector: Inspector<Connection>;
  private readonly figures: PoolFigures;
  private readonly desk: LeaseDesk<Connection>;

  constructor(
    private readonly options: EndpointOptions['pool'],
    connect: Connector<Connection>,
    observer: PoolObserver,
    private readonly clock: Clock = systemClock,
    random: () => number = Math.random,
    /** What it connects to, for messages. */
    target = 'Milvus',
  ) {
    const ended = this.ended.bind(this);
    this.upkeep = new Upkeep({ options, connect, observer, clock, random, target, ended });
    const { line, dispatcher, demand, inspector, figures, desk } = this.upkeep;
    this.line = line;
    this.dispatcher = dispatcher;
    this.demand = demand;
    this.inspector = inspector;
    this.figures = figures;
    this.desk = desk;
  }

  get state(): PoolState {
    return this.upkeep.life.state;
  }

  /** Whether any of its connections has been answered since then. */
  answeredSince(time: number): boolean {
    return this.upkeep.roster.shared.some(({ trust }) => trust.answeredAt >= time);
  }

  stats(): ConnectionStats {
    return this.upkeep.report.stats();
  }

  /** Opens `minConnections` in the background, and keeps them open from now on. */
  start(): void {
    this.demand.started = true;
    this.upkeep.tend();
  }

  acquire(user: PoolUser<Connection>, limitMs: number): () => void {
    const again = user.ticket !== undefined;
    user.ticket ??= this.line.ticket();
    const member = this.dispatcher.choose(user.avoid);
    if (!member || this.line.pending > 0) return this.wait(user, limitMs, again);
    this.figures.waited(0);
    member.give(user);
    if (this.demand.mayGrowBeyond(member) && !this.upkeep.opener.active) this.upkeep.tend();
    return nothingToLeave;
  }

  whyNone(waited?: WaitLimit): PoolFailure {
    const full = this.upkeep.roster.shared.some(({ inDoubt }) => !inDoubt);
    return this.upkeep.failure(full ? 'no-room' : 'unreachable', this.line.pending, waited);
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
      user.fail(this.upkeep.failure(this.closing ? 'closed' : 'no-lease', line.pending));
      return nothingToLeave;
    }
    const place = line.join(user, limitMs, () => user.fail(this.whyNoLease()));
    this.upkeep.tend();
    return () => line.leave(place);
  }

  /** What keeps those who wait from getting a lease. */
  whyNoLease(): PoolFailure {
    const { desk } = this;
    const allHeld = desk.held >= this.options.maxLeases;
    return this.upkeep.failure(allHeld ? 'no-lease' : 'unreachable', desk.line.pending, 'own');
  }

  /**
   * Replaces every shared connection: opens a new one, looks whether it lives, swaps it in, and lets the old one's calls
   * end. Whoever asks meanwhile gets the same promise.
   *
   * @throws PoolFailure when one could not be opened; what is not replaced by then stays
   */
  reconnect(): Promise<void> {
    const { renewal, roster, opener } = this.upkeep;
    if (this.closing || this.demand.windingDown) return Promise.reject(this.upkeep.failure('closed'));
    if (!renewal.underWay) {
      for (const member of roster.shared) member.due = 'reconnect';
      // They are closed when they are released.
      for (const member of this.desk.members) member.due = 'reconnect';
    }
    const renewed = renewal.begin();
    opener.now();
    return renewed;
  }

  /**
   * Nobody new is expected: closes the connections without calls but for one, later ones as soon as they are without
   * calls, and opens and replaces none except for those who wait. Whoever comes all the same is served, until
   * {@link close}. A {@link reconnect} that is under way fails.
   */
  windDown(): void {
    const { ageing, renewal, roster } = this.upkeep;
    this.demand.windingDown = true;
    ageing.stop();
    renewal.fail(() => this.upkeep.failure('closed'));
    for (const member of roster.members) member.due = undefined;
    this.upkeep.tend();
  }

  /**
   * Admits nobody any more and lets calls in flight end. Resolves when every connection is gone.
   *
   * @param limitMs after which it ends calls in flight too, as {@link destroy}; by default it waits for all of them
   */
  close(limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    const gone = this.shutDown('close');
    if (limitMs === Number.POSITIVE_INFINITY) return gone;
    const limit = this.clock.schedule(() => void this.destroy(), limitMs, true);
    return gone.then(() => limit.cancel());
  }

  /** As {@link close}, but ends calls in flight too. */
  destroy(): Promise<void> {
    return this.shutDown('destroy');
  }

  private get closing(): boolean {
    return this.upkeep.closing;
  }

  /** @param again it has had its turn before, and is not turned away */
  private wait(user: PoolUser<Connection>, limitMs: number, again: boolean): () => void {
    if (this.closing || (this.line.full && !again)) {
      user.fail(this.upkeep.failure(this.closing ? 'closed' : 'line-full'));
      return nothingToLeave;
    }
    const leave = this.dispatcher.join(user, limitMs, waited => user.fail(this.whyNone(waited)));
    this.start();
    return leave;
  }

  private shutDown(how: 'close' | 'destroy'): Promise<void> {
    const { life, opener, ageing, renewal, membership } = this.upkeep;
    life.closing = true;
    opener.stop();
    ageing.stop();
    this.upkeep.failAll('closed');
    renewal.fail(() => this.upkeep.failure('closed'));
    membership.endAll(how);
    life.report();
    return life.whenGone();
  }
}

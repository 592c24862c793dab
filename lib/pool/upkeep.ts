import type { EndpointOptions } from '../options/resolved-options.js';
import type { Clock } from '../resilience/clock.js';
import type { CloseReason, PoolObserver } from '../telemetry/pool-telemetry.js';
import type { ConnectError } from '../transport/connect-error.js';
import { Ageing, type AgeingOwner } from './ageing.js';
import type { PoolUser } from './connection-source.js';
import { Demand } from './demand.js';
import { Dispatcher } from './dispatcher.js';
import { Inspector, type InspectorOwner } from './inspector.js';
import type { Lease, LeaseOwner } from './lease.js';
import { LeaseDesk } from './lease-desk.js';
import { LeaseSupply } from './lease-supply.js';
import { Lifecycle } from './lifecycle.js';
import type { Member, PooledConnection } from './member.js';
import { Membership, type MembershipOwner } from './membership.js';
import { type Connector, Opener, type OpenerOwner } from './opener.js';
import type { PoolFailure, PoolFailureReason, WaitLimit } from './pool-failure.js';
import { PoolFigures } from './pool-figures.js';
import { PoolReport } from './pool-report.js';
import { Renewal } from './renewal.js';
import { Roster } from './roster.js';
import { WaitingLine } from './waiting-line.js';

export interface UpkeepOptions<Connection extends PooledConnection> {
  readonly options: EndpointOptions['pool'];
  readonly connect: Connector<Connection>;
  readonly observer: PoolObserver;
  readonly clock: Clock;
  readonly random: () => number;
  /** What it connects to, for messages. */
  readonly target: string;
  /** What an RPC that was sent on a lease says of its connection. */
  readonly ended: LeaseOwner<Connection>['ended'];
}

type Owner<Connection extends PooledConnection> = OpenerOwner<Connection> &
  AgeingOwner<Connection> &
  InspectorOwner<Connection> &
  MembershipOwner;

/**
 * Holds the parts of a pool together, and keeps it in shape: whenever one of them has news, those who wait get what is
 * free, what is missing is opened, and what nobody needs is closed.
 */
export class Upkeep<Connection extends PooledConnection> implements Owner<Connection> {
  readonly roster: Roster<Connection>;
  readonly line: WaitingLine<PoolUser<Connection>>;
  readonly desk: LeaseDesk<Connection>;
  readonly demand: Demand<Connection>;
  readonly opener: Opener<Connection>;
  readonly ageing: Ageing<Connection>;
  readonly inspector: Inspector<Connection>;
  readonly dispatcher: Dispatcher<Connection>;
  readonly membership: Membership<Connection>;
  readonly renewal = new Renewal();
  readonly figures = new PoolFigures();
  readonly report: PoolReport<Connection>;
  readonly life: Lifecycle<Connection>;
  private readonly leaseSupply: LeaseSupply<Connection>;
  private readonly observer: PoolObserver;

  constructor({ options, connect, observer, clock, random, target, ended }: UpkeepOptions<Connection>) {
    const { renewal, figures } = this;
    const newLine = <User>() =>
      new WaitingLine<User>(options.maxPending, clock, () => this.figures.timedOut());
    const roster = new Roster<Connection>(options.maxConnections);
    const { members, shared } = roster;
    const line = newLine<PoolUser<Connection>>();
    const desk = new LeaseDesk<Connection>(options.maxLeases, {
      acquireTimeoutMs: options.acquireTimeoutMs,
      ended,
      now: () => clock.now(),
      newLine,
      waited: ms => figures.waited(ms),
      failure: (reason, pending, waited) => this.failure(reason, pending, waited),
      released: lease => this.onReleased(lease),
    });
    const demand = new Demand(options, roster, { calls: line, leases: desk, renewal });
    const opener = new Opener(this, connect, clock, random);
    const ageing = new Ageing(options, shared, this, clock, random);
    const inspector = new Inspector(options.validateAfterIdleMs, shared, this, clock);
    const report = new PoolReport({ options, members, shared, line, desk, opener, figures, clock, target });
    const dispatcher = new Dispatcher({ options, shared, line, desk, inspector, figures, clock });
    const parts = { options, roster, line, desk, demand, opener, ageing, inspector, dispatcher, figures };
    const membership = new Membership({ ...parts, report, observer, clock }, this);
    this.leaseSupply = new LeaseSupply({ ...parts, membership, clock });
    this.life = new Lifecycle(roster, opener, observer);
    this.roster = roster;
    this.line = line;
    this.desk = desk;
    this.demand = demand;
    this.opener = opener;
    this.ageing = ageing;
    this.inspector = inspector;
    this.dispatcher = dispatcher;
    this.membership = membership;
    this.report = report;
    this.observer = observer;
  }

  /** Does whatever is to be done: leases that can be had at once, connections to open or to close, news of the state. */
  tend(): void {
    const { demand, dispatcher, line, membership, opener } = this;
    const { shared } = this.roster;
    this.leaseSupply.giveSpares();
    // Nobody waits beside a connection that could serve him.
    if (line.pending > 0 && demand.settled) for (const member of [...shared]) dispatcher.offer(member);
    for (let surplus = demand.surplus(); surplus; surplus = demand.surplus()) {
      membership.end(surplus, 'drain', 'close');
    }
    this.renewal.doneIf(() => shared.length > 0 && shared.every(({ due }) => due !== 'reconnect'));
    const wanted = opener.look();
    // A try to grow failed, but what is open is enough again.
    if (!wanted && shared.length > 0) opener.lastError = undefined;
    this.life.report();
  }

  /** Ends everybody's waiting. */
  failAll(reason: PoolFailureReason): void {
    for (const line of [this.line, this.desk.line]) {
      for (const waiter of line.everybody()) waiter.fail(this.failure(reason, line.pending));
    }
  }

  failure(reason: PoolFailureReason, pending = this.line.pending, waited?: WaitLimit): PoolFailure {
    return this.report.failure(reason, pending, waited);
  }

  // What the opener and the membership ask and tell.

  get closing(): boolean {
    return this.life.closing;
  }

  wanted(): 'urgently' | 'yes' | 'no' {
    return this.demand.wanted();
  }

  opened(connection: Connection, tookMs: number): Promise<void> | void {
    return this.membership.admit(connection, tookMs);
  }

  failed(error: ConnectError): void {
    const { members, shared } = this.roster;
    this.observer.connectFailed(error);
    for (const member of members) if (member.due === 'reconnect') member.due = undefined;
    this.ageing.plan();
    this.renewal.fail(() => this.failure('unreachable'));
    // Waiting does not mend a certificate or a wrong port: say so at once.
    if (!error.permanent || shared.length > 0) return;
    this.failAll('unreachable');
  }

  changed(): void {
    this.tend();
    this.life.tellIfGone();
  }

  // What ageing asks and tells.

  canDoWithout(member: Member<Connection>): boolean {
    return this.demand.canDoWithout(member);
  }

  retire(member: Member<Connection>, reason: CloseReason): void {
    this.membership.end(member, reason, 'close');
    this.life.report();
  }

  due(): void {
    this.tend();
  }

  // What the inspector finds.

  usable(member: Member<Connection>): void {
    this.demand.suspicious = false;
    this.dispatcher.serve(member);
  }

  worthATry(member: Member<Connection>): void {
    this.dispatcher.offer(member);
  }

  silent(member: Member<Connection>): void {
    // A holder's calls go on as long as they can.
    if (this.desk.leaseOf(member)) this.dispatcher.serve(member);
    else this.membership.silent(member);
  }

  letOthersTry(member: Member<Connection>): void {
    this.roster.putLast(member);
  }

  inspected(): void {
    this.tend();
  }

  private onReleased(lease: Lease<Connection>): void {
    this.leaseSupply.takeBack(lease);
    this.tend();
  }
}

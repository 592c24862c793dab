import type { EndpointOptions } from '../options/resolved-options.js';
import type { Member, PooledConnection } from './member.js';
import type { Roster } from './roster.js';

/**
 * Another connection is opened when each of those there has more calls than this in flight. Up to 8 to 16 one serves them as
 * well as two do; from there on two serve up to a third more (bench/results/growth.md).
 */
const GROW_AT_IN_FLIGHT = 8;

/** Who may want a connection. */
export interface Wishes {
  /** The calls that wait for room. */
  readonly calls: { readonly pending: number };
  /** Whether a lease could be given if there was a connection for it. */
  readonly leases: { readonly wants: boolean };
  /** The shared connections are being replaced. */
  readonly renewal: { readonly underWay: boolean };
}

/** How many connections are needed: whether one is missing, and which can be done without. */
export class Demand<Connection extends PooledConnection> {
  /** `minConnections` are to be open from now on. */
  started = false;
  /** The last connection that was asked whether it lives said nothing. */
  suspicious = false;
  /** What is there is used up, and nothing is opened beyond what those who wait need. */
  windingDown = false;

  constructor(
    private readonly options: Pick<EndpointOptions['pool'], 'minConnections'>,
    private readonly roster: Roster<Connection>,
    private readonly wishes: Wishes,
  ) {}

  /** How many are to be shared even if nobody needs them. */
  get minShared(): number {
    return this.windingDown ? 0 : this.options.minConnections;
  }

  /** What becomes of one in doubt is known in a moment, and mostly good: nothing is done for it until then. */
  get settled(): boolean {
    return this.suspicious || !this.roster.shared.some(({ inDoubt }) => inDoubt);
  }

  /** Whether another connection is wanted, and whether somebody waits for it. */
  wanted(): 'urgently' | 'yes' | 'no' {
    const { calls, leases, renewal } = this.wishes;
    const { shared, hasPlace } = this.roster;
    const { settled } = this;
    if (settled && hasPlace && calls.pending > 0 && !this.mayWaitForRoom) return 'urgently';
    if (leases.wants) return 'urgently';
    if (this.started && shared.length < this.minShared) return 'yes';
    if (this.windingDown) return 'no';
    if (settled && hasPlace && shared.length > 0) {
      if (shared.every(member => member.busierThan(GROW_AT_IN_FLIGHT))) return 'yes';
    }
    return renewal.underWay || shared.some(({ due }) => due) ? 'yes' : 'no';
  }

  /** Whether another may be wanted because of this one, which was the least busy of all: so are the others. */
  mayGrowBeyond({ connection }: Member<Connection>): boolean {
    return connection.inFlight > GROW_AT_IN_FLIGHT && this.roster.hasPlace;
  }

  /** Whether no other one would be opened in its place at once. */
  canDoWithout(member: Member<Connection>): boolean {
    const others = this.roster.shared.filter(each => each !== member);
    return others.length === 0 || others.some(each => !each.busierThan(GROW_AT_IN_FLIGHT));
  }

  /** While winding down: one without calls; what calls may still want to send can go to another one. */
  surplus(): Member<Connection> | undefined {
    if (!this.windingDown) return undefined;
    const { shared } = this.roster;
    // From the last one: the first ones get the calls when there are few.
    return shared.findLast(member => {
      if (!member.idle || !member.connection.open || member.inDoubt) return false;
      const { calls } = member.trust;
      return shared.some(other => other !== member && other.hasRoom && other.trust.calls >= calls);
    });
  }

  /** While winding down: calls on the wire will make room for those who wait. One that is gone says so in a moment. */
  private get mayWaitForRoom(): boolean {
    if (!this.windingDown) return false;
    return this.roster.shared.some(({ idle, inDoubt, connection }) => !inDoubt && !(idle && connection.open));
  }
}

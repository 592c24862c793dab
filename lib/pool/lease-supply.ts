import type { Clock } from '../resilience/clock.js';
import type { Demand } from './demand.js';
import type { Dispatcher } from './dispatcher.js';
import type { Inspector } from './inspector.js';
import type { Lease } from './lease.js';
import type { LeaseDesk } from './lease-desk.js';
import type { Member, PooledConnection } from './member.js';
import type { Membership } from './membership.js';
import type { Roster } from './roster.js';

export interface LeaseSupplyParts<Connection extends PooledConnection> {
  readonly roster: Roster<Connection>;
  readonly line: { readonly pending: number };
  readonly desk: LeaseDesk<Connection>;
  readonly demand: Demand<Connection>;
  readonly dispatcher: Dispatcher<Connection>;
  readonly membership: Membership<Connection>;
  readonly inspector: Inspector<Connection>;
  readonly clock: Clock;
}

/** Where leases get their connections from besides new ones, and what becomes of those afterwards. */
export class LeaseSupply<Connection extends PooledConnection> {
  constructor(private readonly parts: LeaseSupplyParts<Connection>) {}

  /** Gives shared connections that nobody needs to those who wait for a lease. */
  giveSpares(): void {
    const { roster, desk, inspector } = this.parts;
    for (let spare = this.spare(); spare; spare = this.spare()) {
      roster.unshare(spare);
      desk.give(spare);
      inspector.tryResting();
    }
  }

  takeBack(lease: Lease<Connection>): void {
    const { roster, desk, demand, dispatcher, membership, clock } = this.parts;
    const { member } = lease;
    desk.takeBack(lease);
    if (member.leaving) return;
    if (!demand.windingDown && clock.now() >= member.expiresAt) member.due ??= 'lifetime';
    if (member.due) membership.end(member, member.due, 'close');
    else if (desk.wants && this.isSpare(member)) desk.give(member);
    else if (roster.hasPlace) {
      membership.share(member);
      dispatcher.offer(member);
    } else membership.end(member, 'released', 'close');
  }

  /** A shared connection that the next in line for a lease can have. */
  private spare(): Member<Connection> | undefined {
    const { roster, line, desk, demand } = this.parts;
    if (!desk.wants || line.pending > 0) return undefined;
    if (roster.shared.length <= demand.minShared) return undefined;
    return roster.shared.findLast(member => this.isSpare(member));
  }

  private isSpare(member: Member<Connection>): boolean {
    return member.idle && member.inGoodStanding && !this.parts.inspector.outOfTouch(member);
  }
}

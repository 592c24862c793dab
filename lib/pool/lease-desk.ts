import { Lease, type LeaseOwner } from './lease.js';
import type { Member, PooledConnection } from './member.js';
import type { PoolFailure } from './pool-failure.js';
import type { WaitingLine } from './waiting-line.js';

/** Somebody who wants a connection for himself. One of the two is called, once. */
export interface LeaseUser<Connection extends PooledConnection> {
  use(lease: Lease<Connection>): void;
  fail(failure: PoolFailure): void;
}

/** Hands out leases, never more than `maxLeases` at once, to whoever has waited longest. */
export class LeaseDesk<Connection extends PooledConnection> {
  /** Callers that wait for a lease. */
  readonly line: WaitingLine<LeaseUser<Connection>>;
  /** By their connections, which may be gone: what is held is held until it is released. */
  private readonly leases = new Map<Member<Connection>, Lease<Connection>>();

  constructor(
    private readonly maxLeases: number,
    private readonly owner: LeaseOwner<Connection>,
  ) {
    this.line = owner.newLine();
  }

  /** The connections that are leased. */
  get members(): Iterable<Member<Connection>> {
    return this.leases.keys();
  }

  get held(): number {
    return this.leases.size;
  }

  /** Whether the next in line may have a connection. */
  get wants(): boolean {
    return this.line.pending > 0 && this.held < this.maxLeases;
  }

  /** Gives this connection to the next in line. */
  give(member: Member<Connection>): void {
    const { waiter, since } = this.line.next()!;
    const lease = new Lease(member, this.owner);
    this.leases.set(member, lease);
    this.owner.waited(this.owner.now() - since);
    waiter.use(lease);
  }

  leaseOf(member: Member<Connection>): Lease<Connection> | undefined {
    return this.leases.get(member);
  }

  takeBack({ member }: Lease<Connection>): void {
    this.leases.delete(member);
  }
}

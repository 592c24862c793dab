import type { Clock } from '../resilience/clock.js';
import type { PoolUser } from './connection-source.js';
import type { Inspector } from './inspector.js';
import type { LeaseDesk } from './lease-desk.js';
import { leastBusy, type Member, type PooledConnection } from './member.js';
import type { WaitLimit } from './pool-failure.js';
import type { PoolFigures } from './pool-figures.js';
import type { WaitingLine } from './waiting-line.js';

export interface DispatcherParts<Connection extends PooledConnection> {
  readonly options: { readonly acquireTimeoutMs: number };
  readonly shared: readonly Member<Connection>[];
  /** Calls that wait for room on a shared connection. */
  readonly line: WaitingLine<PoolUser<Connection>>;
  readonly desk: LeaseDesk<Connection>;
  readonly inspector: Inspector<Connection>;
  readonly figures: PoolFigures;
  readonly clock: Clock;
}

/** Brings calls and connections with room together: at once, or in the calls' turn. */
export class Dispatcher<Connection extends PooledConnection> {
  private readonly shared: readonly Member<Connection>[];
  private readonly line: WaitingLine<PoolUser<Connection>>;
  private readonly inspector: Inspector<Connection>;

  constructor(private readonly parts: DispatcherParts<Connection>) {
    this.shared = parts.shared;
    this.line = parts.line;
    this.inspector = parts.inspector;
  }

  /** The least busy one that may be taken to live, and rather another one than `avoid`. */
  choose(avoid: Member<Connection> | undefined): Member<Connection> | undefined {
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
    const other = leastBusy(shared.filter(member => !member.idle || !inspector.outOfTouch(member)));
    if (!other || !best.unused) inspector.check(best);
    return other;
  }

  /**
   * Puts a call in the line.
   *
   * @param limitMs longest to wait; `acquireTimeoutMs` may be sooner
   * @param onLimit called when it has waited that long, with whose limit it was
   * @returns takes it out of the line
   */
  join(user: PoolUser<Connection>, limitMs: number, onLimit: (waited: WaitLimit) => void): () => void {
    const { line } = this;
    const { acquireTimeoutMs } = this.parts.options;
    const waited = limitMs < acquireTimeoutMs ? 'own' : 'pool.acquireTimeoutMs';
    const place = line.join(user, Math.min(limitMs, acquireTimeoutMs), () => onLimit(waited), user.ticket);
    return () => line.leave(place);
  }

  /** Gives its room to those who wait for it. */
  serve(member: Member<Connection>): void {
    if (member.leaving) return;
    const { desk, figures, clock } = this.parts;
    const lease = desk.leaseOf(member);
    if (lease) return lease.serve();
    while (this.line.pending > 0 && member.hasRoom) {
      const { waiter, since } = this.line.next()!;
      figures.waited(clock.now() - since);
      member.give(waiter);
    }
  }

  /** To whoever waits; one that was idle for long is asked first. */
  offer(member: Member<Connection>): void {
    if (member.idle && this.line.pending > 0 && this.inspector.outOfTouch(member))
      this.inspector.check(member);
    else this.serve(member);
  }
}

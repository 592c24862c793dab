import type { EndpointOptions } from '../options/resolved-options.js';
import type { Clock, Scheduled } from '../resilience/clock.js';
import type { CloseReason } from '../telemetry/pool-telemetry.js';
import type { Member, PooledConnection } from './member.js';

type AgeingOptions = Pick<EndpointOptions['pool'], 'minConnections' | 'idleTimeoutMs' | 'maxLifetimeMs'>;

/** Connections that were opened together shall not all be replaced together. */
const LIFETIME_JITTER = 0.1;

/** Whose connections age. */
export interface AgeingOwner<Connection extends PooledConnection> {
  /** Whether no other one would be opened in its place at once. */
  canDoWithout(member: Member<Connection>): boolean;
  retire(member: Member<Connection>, reason: CloseReason): void;
  /** Some are to be replaced. */
  due(): void;
}

/** Finds connections that nobody needs any more, and those that have had their time. */
export class Ageing<Connection extends PooledConnection> {
  private timer?: Scheduled;
  private stopped = false;

  constructor(
    private readonly options: AgeingOptions,
    private readonly members: readonly Member<Connection>[],
    private readonly owner: AgeingOwner<Connection>,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** When a connection that is opened now is to be replaced. */
  expiry(now: number): number {
    const { maxLifetimeMs } = this.options;
    if (maxLifetimeMs === 0) return Number.POSITIVE_INFINITY;
    return now + maxLifetimeMs * (1 - LIFETIME_JITTER + 2 * LIFETIME_JITTER * this.random());
  }

  /** Members were added: looks when the next of them has had its time. */
  plan(): void {
    this.timer?.cancel();
    if (this.stopped) return;
    const now = this.clock.now();
    const atMs = this.members.reduce(
      (soonest, member) => Math.min(soonest, this.nextAt(member, now)),
      Infinity,
    );
    if (atMs < Infinity) this.timer = this.clock.schedule(() => this.look(), Math.max(1, atMs - now));
  }

  /** Nothing is retired or replaced any more. */
  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private look(): void {
    const now = this.clock.now();
    // From the last one: the first ones get the calls when there are few.
    for (const member of [...this.members].reverse()) {
      const expired = now >= member.expiresAt;
      if (!this.surplus || !member.idle || !(expired || now >= this.idleUntil(member))) continue;
      if (!member.inDoubt && this.owner.canDoWithout(member))
        this.owner.retire(member, expired ? 'lifetime' : 'idle');
      else member.neededAt = now;
    }
    const expired = this.members.filter(member => now >= member.expiresAt);
    for (const member of expired) member.due ??= 'lifetime';
    this.plan();
    if (expired.length > 0) this.owner.due();
  }

  private nextAt(member: Member<Connection>, now: number): number {
    const expiresAt = member.due ? Infinity : member.expiresAt;
    if (!this.surplus) return expiresAt;
    // One that is busy now has not begun to be idle.
    return Math.min(expiresAt, member.idle ? this.idleUntil(member) : now + this.idleTimeoutMs);
  }

  private idleUntil(member: Member<Connection>): number {
    return Math.max(member.idleSince, member.neededAt) + this.idleTimeoutMs;
  }

  private get idleTimeoutMs(): number {
    return this.options.idleTimeoutMs || Infinity;
  }

  private get surplus(): boolean {
    return this.members.length > this.options.minConnections;
  }
}

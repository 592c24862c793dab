import type { Scheduled } from '../resilience/clock.js';
import type { CloseReason } from '../telemetry/pool-telemetry.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import { Trust } from './trust.js';

/** What the pool needs of a connection; an {@link Http2Connection} is one. */
export type PooledConnection = Pick<
  Http2Connection,
  | 'authority'
  | 'closeReason'
  | 'saidGoaway'
  | 'open'
  | 'inFlight'
  | 'maxStreams'
  | 'listen'
  | 'check'
  | 'close'
  | 'destroy'
>;

/** One connection of a pool. */
export class Member<Connection extends PooledConnection> {
  /** When its last call ended, or when it was opened, or was found to live. */
  idleSince: number;
  /** It has had a call since. */
  busy = false;
  /** It was checked, and has had no call since. */
  unused = false;
  /** When it was idle for long, but kept: another one would have been opened in its place. */
  neededAt = Number.NEGATIVE_INFINITY;
  /** Since when it is being asked whether it lives; it gets no calls meanwhile. */
  doubtedSince?: number;
  /** When it last answered that question. */
  checkedAt = Number.NEGATIVE_INFINITY;
  /** Another is to take its place. */
  due?: 'lifetime' | 'reconnect';
  /** Set once it takes no new calls any more. */
  leaving?: CloseReason;
  readonly trust = new Trust();
  /** Pending while it is left alone. */
  rest?: Scheduled;

  constructor(
    readonly connection: Connection,
    readonly openedAt: number,
    readonly expiresAt: number,
    private readonly maxStreams: number,
  ) {
    this.idleSince = openedAt;
  }

  give(user: { use(member: Member<Connection>): void }): void {
    this.busy = true;
    this.unused = false;
    user.use(this);
  }

  /** Its last call has ended. */
  rests(now: number): void {
    this.busy = false;
    this.idleSince = now;
  }

  /** It has shown that it lives. */
  lives(now: number): void {
    this.unused = true;
    this.checkedAt = now;
    this.idleSince = now;
  }

  get inDoubt(): boolean {
    return this.doubtedSince !== undefined;
  }

  get idle(): boolean {
    return this.connection.inFlight === 0;
  }

  /** Whether it may be given a call now. */
  get hasRoom(): boolean {
    const { connection } = this;
    return (
      !this.inDoubt &&
      connection.open &&
      connection.inFlight < Math.min(this.maxStreams, connection.maxStreams, this.trust.calls)
    );
  }

  /** Whether there is nothing against it. */
  get inGoodStanding(): boolean {
    return this.hasRoom && !this.due && this.trust.calls > 1;
  }

  /** Whether it has more calls than `inFlight`, or is left alone. */
  busierThan(inFlight: number): boolean {
    return this.connection.inFlight > inFlight || this.trust.resting;
  }
}

/** Of those with room the one with the fewest calls in flight; of equal ones the first, so that the last go idle. */
export function leastBusy<Connection extends PooledConnection>(
  members: readonly Member<Connection>[],
): Member<Connection> | undefined {
  let best: Member<Connection> | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const member of members) {
    const { inFlight } = member.connection;
    if (inFlight < fewest && member.hasRoom) {
      best = member;
      fewest = inFlight;
    }
  }
  return best;
}

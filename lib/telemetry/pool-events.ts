import { type Observable, Subject } from 'rxjs';
import type { ConnectError } from '../transport/connect-error.js';
import type { HeldLease, LeakObserver } from './leases.js';
import type { CloseReason, EndpointObserver, PoolState } from './pool-telemetry.js';

/** What happens in the pool of a client; frozen. */
export type PoolEvent = { readonly client: string } & (
  | {
      readonly type: 'state-changed';
      readonly from: PoolState;
      readonly to: PoolState;
      /** In words, where it is not for the connections. */
      readonly reason?: string;
    }
  | { readonly type: 'connection-opened'; readonly address: string; readonly tookMs: number }
  | {
      readonly type: 'connection-closed';
      readonly address: string;
      readonly reason: CloseReason;
      /** In words. */
      readonly detail: string;
    }
  | { readonly type: 'connect-failed'; readonly error: Error }
  /** Held longer than `leakDetection.thresholdMs`; once for each lease. */
  | { readonly type: 'lease-leaked'; readonly lease: HeldLease }
  /** More than `leakDetection.maxHeld` at once; again only after it was fewer. */
  | { readonly type: 'too-many-leases'; readonly maxHeld: number; readonly leases: readonly HeldLease[] }
);

type WithoutClient<Event> = Event extends unknown ? Omit<Event, 'client'> : never;

/** Tells what happens in an endpoint, in the name of a client. */
export class EndpointEvents implements EndpointObserver {
  constructor(
    private readonly client: string,
    protected readonly subject: Subject<PoolEvent>,
  ) {}

  stateChanged(from: PoolState, to: PoolState, reason?: string): void {
    // Its clients tell of their own end, and the last of them is its end.
    if (to === 'draining' || to === 'closed') return;
    this.publish({ type: 'state-changed', from, to, ...(reason !== undefined && { reason }) });
  }

  connectionOpened(address: string, tookMs: number): void {
    this.publish({ type: 'connection-opened', address, tookMs });
  }

  connectionClosed(address: string, reason: CloseReason, detail: string): void {
    this.publish({ type: 'connection-closed', address, reason, detail });
  }

  connectFailed(error: ConnectError): void {
    this.publish({ type: 'connect-failed', error });
  }

  /** Nothing that anybody needs to know: the state follows from it. */
  probed(): void {}

  protected publish(event: WithoutClient<PoolEvent>, to = this.subject): void {
    if (to.observed) to.next(Object.freeze({ client: this.client, ...event } as PoolEvent));
  }
}

/** Tells the subscribers of one client what happens in its pool, and the log what it does with leases. */
export class PoolEvents extends EndpointEvents implements LeakObserver {
  readonly events$: Observable<PoolEvent>;
  private ending = false;

  /** @param everybody is told what is of this client alone */
  constructor(
    client: string,
    private readonly log: LeakObserver,
    private readonly everybody = new Subject<PoolEvent>(),
  ) {
    super(client, new Subject());
    this.events$ = this.subject.asObservable();
  }

  /** Of the endpoint, which may outlive the client. */
  override stateChanged(from: PoolState, to: PoolState, reason?: string): void {
    if (!this.ending) super.stateChanged(from, to, reason);
  }

  /** Of the client itself, which drains. */
  ended(from: PoolState, to: 'draining' | 'closed'): void {
    this.ending = true;
    this.publishOwn({ type: 'state-changed', from, to });
    if (to === 'closed') this.subject.complete();
  }

  leaseLeaked(lease: HeldLease): void {
    this.log.leaseLeaked(lease);
    this.publishOwn({ type: 'lease-leaked', lease });
  }

  tooManyLeases(leases: readonly HeldLease[], maxHeld: number): void {
    this.log.tooManyLeases(leases, maxHeld);
    this.publishOwn({ type: 'too-many-leases', leases, maxHeld });
  }

  private publishOwn(event: WithoutClient<PoolEvent>): void {
    this.publish(event);
    this.publish(event, this.everybody);
  }
}

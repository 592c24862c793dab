import { type Observable, Subject } from 'rxjs';
import type { ConnectError } from '../transport/connect-error.js';
import type { ClientLog } from './client-log.js';
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

/** Tells the log and the subscribers of one client what happens in its pool. */
export class PoolEvents implements EndpointObserver, LeakObserver {
  readonly events$: Observable<PoolEvent>;
  private readonly subject = new Subject<PoolEvent>();

  constructor(
    private readonly client: string,
    private readonly log: ClientLog,
  ) {
    this.events$ = this.subject.asObservable();
  }

  stateChanged(from: PoolState, to: PoolState, reason?: string): void {
    this.log.stateChanged(from, to, reason);
    this.publish({ type: 'state-changed', from, to, ...(reason !== undefined && { reason }) });
  }

  connectionOpened(address: string, tookMs: number): void {
    this.log.connectionOpened(address, tookMs);
    this.publish({ type: 'connection-opened', address, tookMs });
  }

  connectionClosed(address: string, reason: CloseReason, detail: string): void {
    this.log.connectionClosed(address, reason, detail);
    this.publish({ type: 'connection-closed', address, reason, detail });
  }

  connectFailed(error: ConnectError): void {
    this.log.connectFailed(error);
    this.publish({ type: 'connect-failed', error });
  }

  retrying(rpc: string, attempts: number, pauseMs: number, why: string): void {
    this.log.retrying(rpc, attempts, pauseMs, why);
  }

  leaseLeaked(lease: HeldLease): void {
    this.log.leaseLeaked(lease);
    this.publish({ type: 'lease-leaked', lease });
  }

  tooManyLeases(leases: readonly HeldLease[], maxHeld: number): void {
    this.log.tooManyLeases(leases, maxHeld);
    this.publish({ type: 'too-many-leases', leases, maxHeld });
  }

  /** Nothing happens any more. */
  complete(): void {
    this.subject.complete();
  }

  private publish(event: WithoutClient<PoolEvent>): void {
    if (this.subject.observed)
      this.subject.next(Object.freeze({ client: this.client, ...event } as PoolEvent));
  }
}

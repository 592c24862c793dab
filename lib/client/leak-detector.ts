import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { type Clock, type Scheduled, systemClock } from '../resilience/clock.js';
import type { HeldLease, LeakObserver } from '../telemetry/leases.js';

interface Watched {
  since: number;
  trace: { stack?: string };
  alarm?: Scheduled;
}

/** Knows the leases of one client, and watches them if it is on; the stack of an `acquire` is captured only then. */
export class LeakDetector {
  private readonly leases = new Map<object, Watched>();
  private tooMany = false;

  constructor(
    private readonly client: string,
    private readonly options: ResolvedClientOptions['leakDetection'],
    private readonly observer: LeakObserver,
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * Remembers who is about to acquire a lease.
   *
   * @param entry function that was called; the stack begins with its caller
   */
  trace(entry: (...args: never[]) => unknown): { stack?: string } {
    const trace: { stack?: string } = {};
    if (this.options) Error.captureStackTrace(trace, entry);
    return trace;
  }

  acquired(lease: object, trace: { stack?: string }): void {
    const watched: Watched = { since: this.clock.now(), trace };
    this.leases.set(lease, watched);
    if (!this.options) return;
    const { thresholdMs, maxHeld = Infinity } = this.options;
    watched.alarm = this.clock.schedule(() => this.observer.leaseLeaked(this.describe(watched)), thresholdMs);
    if (this.tooMany || this.leases.size <= maxHeld) return;
    this.tooMany = true;
    this.observer.tooManyLeases(this.held(), maxHeld);
  }

  released(lease: object): void {
    this.leases.get(lease)?.alarm?.cancel();
    this.leases.delete(lease);
    if (this.options && this.leases.size <= (this.options.maxHeld ?? Infinity)) this.tooMany = false;
  }

  /** Leases now held longer than the threshold; the oldest first. */
  leaks(): readonly HeldLease[] {
    return this.options ? this.describeAll(this.options.thresholdMs) : [];
  }

  /** All of them; the oldest first. */
  held(): readonly HeldLease[] {
    return this.describeAll(0);
  }

  private describeAll(minAgeMs: number): readonly HeldLease[] {
    const all = [...this.leases.values()].map(each => this.describe(each));
    // Node fires timers up to 1 ms early: what was reported is listed.
    return Object.freeze(all.filter(({ ageMs }) => ageMs > minAgeMs - 1));
  }

  private describe({ since, trace }: Watched): HeldLease {
    // The first line is the name of an error that nobody threw.
    const stack = (trace.stack ?? '').split('\n').slice(1).join('\n');
    return Object.freeze({ client: this.client, ageMs: this.clock.now() - since, stack });
  }
}

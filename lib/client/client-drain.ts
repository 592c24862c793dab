import type { EndpointClaim } from '../endpoint/shared-endpoint.js';
import { type Scheduled, systemClock } from '../resilience/clock.js';
import type { ClientLog } from '../telemetry/client-log.js';
import type { PoolState } from '../telemetry/pool-telemetry.js';
import type { Call } from './call.js';
import type { CallsInFlight } from './calls-in-flight.js';
import type { ClientLeases } from './client-leases.js';
import type { ClientDrainReport } from './drain-report.js';
import type { LeakDetector } from './leak-detector.js';

/** What a drain ends. */
export interface DrainedClient {
  readonly name: string;
  readonly calls: CallsInFlight;
  readonly leases: ClientLeases;
  readonly leaks: LeakDetector;
  readonly claim: EndpointClaim;
  readonly log: ClientLog;
  /** The limit has come. */
  cancelledError(call: Call): Error;
  /** For what nobody waits for: it ends at once. */
  refusedError(call: Call): Error;
  /** No timer is left. */
  closeTimers(): void;
  stateChanged(from: PoolState, to: 'draining' | 'closed'): void;
}

/** Longest that connections without calls may take to close, in ms; then their sockets are cut off. */
const CLOSE_LIMIT_MS = 2_000;

/** Most calls that a report names. */
const MAX_CALLS_NAMED = 20;

/** How a client ends, phase by phase. Whoever runs it has stopped admitting calls. */
export class ClientDrain {
  private onIdle: () => void = () => {};
  /** Ends the waiting for what is under way. */
  private limit?: { timer: Scheduled; at: number; passed: () => void };

  constructor(private readonly client: DrainedClient) {}

  /** It may take no longer than this from now on. */
  hurry(limitMs: number): void {
    const { limit } = this;
    const at = systemClock.now() + limitMs;
    if (!limit || limit.at <= at) return;
    limit.timer.cancel();
    this.limitTo(limitMs, limit.passed);
  }

  /** A call or a lease has ended. */
  ended(): void {
    if (this.idle) this.onIdle();
  }

  /**
   * Never rejects.
   *
   * @param from the pool's state before
   */
  async run(from: PoolState, limitMs: number): Promise<ClientDrainReport> {
    const startedAt = systemClock.now();
    const { name, log } = this.client;
    const none = { finishedCalls: 0, cancelledCalls: 0, cancelled: [], heldLeases: 0, leases: [] };
    let report: ClientDrainReport = { client: name, outcome: 'clean', ...none, durationMs: 0 };
    try {
      report = { ...report, ...(await this.finish(from, limitMs)) };
    } catch (error) {
      // A fault of ours must not keep the application from ending.
      report = { ...report, outcome: 'failed', error: (error as Error).message };
    }
    try {
      await this.end(report);
    } catch (error) {
      report = { ...report, outcome: 'failed', error: (error as Error).message };
    }
    report = Object.freeze({ ...report, durationMs: systemClock.now() - startedAt });
    log.drained(report);
    this.client.stateChanged('draining', 'closed');
    return report;
  }

  private async finish(from: PoolState, limitMs: number): Promise<Partial<ClientDrainReport>> {
    const { calls, leases, leaks, claim, log, refusedError } = this.client;
    // 1. Nothing new is admitted; what nobody waits for ends.
    calls.cancelUnattended(refusedError);
    const underWay = calls.count;
    log.draining(from, underWay, leases.size, limitMs);
    this.client.stateChanged(from, 'draining');

    // 2. What is under way may finish. Connections that nobody can need any more close.
    claim.leave();
    if (!this.idle) {
      log.drainPhase(2, 'waiting for what is under way');
      await this.idleWithin(limitMs);
    }

    // 3. What is left by the limit is named.
    const cancelledCalls = calls.count;
    const cancelled = calls.describe(MAX_CALLS_NAMED);
    const held = leaks.held();
    if (!this.idle) log.drainLimit(cancelled, cancelledCalls, held);
    return {
      outcome: cancelledCalls + held.length > 0 ? 'timedOut' : 'clean',
      finishedCalls: Math.max(0, underWay - cancelledCalls),
      cancelledCalls,
      cancelled,
      heldLeases: held.length,
      leases: held,
    };
  }

  private async end({ cancelledCalls, heldLeases, outcome }: ClientDrainReport): Promise<void> {
    const { calls, leases, claim, log, cancelledError } = this.client;
    let closeLimitMs = 0;
    try {
      // 4. It is cancelled. Calls first, or what waits for a lease would go out on a shared connection.
      const left = `cancelling ${cancelledCalls} calls, taking back ${heldLeases} leases`;
      if (!this.idle) log.drainPhase(4, left);
      calls.cancelAll(cancelledError);
      leases.releaseAll();
      this.client.closeTimers();
      log.drainPhase(5, 'closing connections');
      if (cancelledCalls === 0 && outcome !== 'failed') closeLimitMs = CLOSE_LIMIT_MS;
    } finally {
      // 5. Connections close, unless other clients need them.
      await claim.release(closeLimitMs);
    }
  }

  private get idle(): boolean {
    return this.client.calls.none && this.client.leases.size === 0;
  }

  private idleWithin(timeoutMs: number): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise(resolve => {
      const passed = () => {
        this.limit?.timer.cancel();
        this.limit = undefined;
        resolve();
      };
      this.limitTo(timeoutMs, passed);
      this.onIdle = passed;
    });
  }

  private limitTo(timeoutMs: number, passed: () => void): void {
    const timer = systemClock.schedule(passed, timeoutMs, true);
    this.limit = { timer, at: systemClock.now() + timeoutMs, passed };
  }
}

import { DurationHistogram } from '../telemetry/durations.js';
import type { CloseReason, ConnectionStats } from '../telemetry/pool-telemetry.js';

/** What a pool has done since it was made. */
export class PoolFigures {
  private created = 0;
  private acquireTimeouts = 0;
  private readonly closed: Record<CloseReason, number> = {
    idle: 0,
    lifetime: 0,
    reconnect: 0,
    released: 0,
    failed: 0,
    goaway: 0,
    drain: 0,
  };
  private readonly waits = new DurationHistogram();
  private readonly creations = new DurationHistogram();
  private readonly uses = new DurationHistogram();

  opened(tookMs: number): void {
    this.created++;
    this.creations.record(tookMs);
  }

  closedFor(reason: CloseReason): void {
    this.closed[reason]++;
  }

  waited(ms: number): void {
    this.waits.record(ms);
  }

  timedOut(): void {
    this.acquireTimeouts++;
  }

  used(ms: number): void {
    this.uses.record(ms);
  }

  snapshot(): Pick<
    ConnectionStats,
    'created' | 'closed' | 'acquireTimeouts' | 'waitMs' | 'createMs' | 'useMs'
  > {
    return {
      created: this.created,
      closed: Object.freeze({ ...this.closed }),
      acquireTimeouts: this.acquireTimeouts,
      waitMs: this.waits.snapshot(),
      createMs: this.creations.snapshot(),
      useMs: this.uses.snapshot(),
    };
  }
}

import { poolError } from '../endpoint/rpc-errors.js';
import type { ConnectionPool } from '../pool/connection-pool.js';
import type { Lease } from '../pool/lease.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import type { Call } from './call.js';
import { ACQUIRE } from './failed-call.js';
import type { LeakDetector } from './leak-detector.js';
import { HeldConnection } from './milvus-lease.js';

/** The leases that one client's callers hold. */
export class ClientLeases {
  private readonly held = new Set<HeldConnection>();

  constructor(
    private readonly pool: ConnectionPool<Http2Connection>,
    private readonly leaks: LeakDetector,
    private readonly onReleased: () => void,
  ) {}

  get size(): number {
    return this.held.size;
  }

  /**
   * A connection for the caller alone, in his turn.
   *
   * @param work runs the waiting as a call
   * @param trace where he asked for it
   */
  async acquire(
    work: (wait: (call: Call) => Promise<HeldConnection>) => Promise<HeldConnection>,
    limitMs: number,
    trace: { stack?: string },
  ): Promise<HeldConnection> {
    let held: HeldConnection | undefined;
    const wait = (call: Call) =>
      new Promise<HeldConnection>((resolve, reject) => {
        let leaveLine = () => {};
        const unsent = () => (held ? undefined : this.pool.whyNoLease());
        const cancel = () => leaveLine();
        const forget = call.begin({ cancel, unsent, sends: 0, uncertain: false, writes: false });
        const use = (lease: Lease<Http2Connection>) => {
          held = this.hold(lease, trace);
          forget(false);
          resolve(held);
        };
        const fail = (failure: PoolFailure) => {
          forget(false);
          reject(poolError(ACQUIRE, failure));
        };
        leaveLine = this.pool.lease({ use, fail }, limitMs);
      });
    try {
      return await work(wait);
    } catch (error) {
      // It came in the moment in which its caller gave up.
      held?.release();
      throw error;
    }
  }

  releaseAll(): void {
    for (const held of this.held) held.release();
  }

  private hold(lease: Lease<Http2Connection>, trace: { stack?: string }): HeldConnection {
    const held = new HeldConnection(lease, () => {
      this.held.delete(held);
      this.leaks.released(held);
      this.onReleased();
    });
    this.held.add(held);
    this.leaks.acquired(held, trace);
    return held;
  }
}

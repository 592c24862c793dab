import type { RpcCall, RpcUnderWay } from '../endpoint/rpc.js';
import type { MilvusError } from '../errors/milvus-error.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { type Clock, type Scheduled, systemClock } from '../resilience/clock.js';
import { Deadline } from '../resilience/deadline.js';

export interface CallSettings {
  /** Nobody waits for it: it ends at once when the client drains, and stands in no report. */
  unattended?: boolean;
  /** Public method that was called, e.g. `search`. */
  method: string;
  /** For the whole call, in ms. */
  timeoutMs: number;
  metadata: Readonly<Record<string, string>>;
  /** What the caller gets when the time is up; `unsent` says what it waited for if nothing is on the wire. */
  timeoutError: (unsent: PoolFailure | undefined) => MilvusError;
}

/**
 * One public method of a client, from its begin to its end, whatever number of RPCs the SDK makes of it. All of them
 * share its deadline, and end with it.
 */
export class Call implements RpcCall {
  readonly method: string;
  readonly unattended: boolean;
  readonly deadline: Deadline;
  readonly metadata: Readonly<Record<string, string>>;
  private readonly rpcs = new Set<RpcUnderWay>();
  private readonly timer: Scheduled;
  private over = false;
  private partly = false;
  private rejectCaller: (error: MilvusError) => void = () => {};

  constructor(settings: CallSettings, clock: Clock = systemClock) {
    this.method = settings.method;
    this.unattended = settings.unattended ?? false;
    this.metadata = settings.metadata;
    this.deadline = new Deadline(settings.timeoutMs, clock);
    this.timer = clock.schedule(
      () => this.end(settings.timeoutError(this.unsent())),
      settings.timeoutMs,
      true,
    );
  }

  get ended(): boolean {
    return this.over;
  }

  /**
   * Follows the SDK's work for this call. Settles with it, or as soon as the call is ended, even while the SDK sleeps
   * between two RPCs of a polling loop.
   */
  follow<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.rejectCaller = reject;
      work.then(
        result => {
          this.finish();
          resolve(result);
        },
        error => {
          this.finish();
          reject(error);
        },
      );
    });
  }

  /** Ends the call before its work is done: rejects it with this error, and cancels its RPCs. */
  end(error: MilvusError): void {
    if (this.over) return;
    this.rejectCaller(error);
    this.finish();
  }

  /** The call is over. What the SDK still has on the way for it is cancelled, what it may still try is refused. */
  finish(): void {
    this.over = true;
    this.timer.cancel();
    for (const rpc of this.rpcs) rpc.cancel();
    this.rpcs.clear();
  }

  begin(rpc: RpcUnderWay): () => void {
    this.rpcs.add(rpc);
    return () => {
      this.rpcs.delete(rpc);
      if (rpc.unsent() === undefined) this.partly = true;
    };
  }

  /** Whether an RPC of it was sent, and is over. */
  get executedInPart(): boolean {
    return this.partly;
  }

  /** Why nothing of it was ever sent: all its RPCs still wait for a connection. */
  unsent(): PoolFailure | undefined {
    if (this.partly) return undefined;
    const reasons = [...this.rpcs].map(rpc => rpc.unsent());
    return reasons.includes(undefined) ? undefined : reasons[0];
  }
}

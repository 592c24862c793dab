import type { RpcCall, RpcError, RpcUnderWay } from '../endpoint/rpc.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { type Clock, type Scheduled, systemClock } from '../resilience/clock.js';
import { Deadline } from '../resilience/deadline.js';
import { type CallFailure, isSchemaMismatch } from './call-failure.js';
import { rpcClass } from './method-class.js';
import { refusalIn } from './response-status.js';
import type { CollectionDescription } from './schema-cache.js';

export interface CallSettings {
  /** Nobody waits for it: it ends at once when the client drains, and stands in no report. */
  unattended?: boolean;
  /** Public method that was called, e.g. `search`. */
  method: string;
  /** For the whole call, in ms. */
  timeoutMs: number;
  metadata: Readonly<Record<string, string>>;
  /** Each ends the call when it aborts. */
  signals?: readonly AbortSignal[];
  /** What the caller gets when the time is up; `unsent` says what it waited for if nothing is on the wire. */
  timeoutError: (unsent: PoolFailure | undefined) => Error;
  /** What the caller gets when a signal aborts. */
  abortedError?: (reason: unknown, sent: boolean) => Error;
}

/**
 * One public method of a client, from its begin to its end, whatever number of RPCs the SDK makes of it. All of them
 * share its deadline and its signals, and end with it.
 */
export class Call implements RpcCall {
  readonly method: string;
  readonly unattended: boolean;
  readonly deadline: Deadline;
  readonly metadata: Readonly<Record<string, string>>;
  /** The RPCs of it that Milvus refused or that failed, in their order; the SDK may have swallowed them. */
  failures: readonly CallFailure[] = [];
  /** Whether an RPC that may have changed something was sent for it. */
  wrote = false;
  /** The cached description that its requests were built on. */
  usedSchema?: { key: string; description: CollectionDescription };
  private readonly rpcs = new Set<RpcUnderWay>();
  private readonly timer: Scheduled;
  private readonly signals: readonly AbortSignal[];
  private over = false;
  private partly = false;
  private endedBy?: Error;
  private rejectCaller: (error: Error) => void = () => {};

  constructor(
    private readonly settings: CallSettings,
    clock: Clock = systemClock,
  ) {
    this.method = settings.method;
    this.unattended = settings.unattended ?? false;
    this.metadata = settings.metadata;
    this.deadline = new Deadline(settings.timeoutMs, clock);
    this.timer = clock.schedule(
      () => this.end(settings.timeoutError(this.unsent())),
      settings.timeoutMs,
      true,
    );
    this.signals = settings.signals ?? [];
    for (const signal of this.signals) signal.addEventListener('abort', this.onAbort);
  }

  get ended(): boolean {
    return this.over;
  }

  /** Whether it ended, or is about to, for a reason of its own: its deadline, its signal, the end of its client. */
  get gaveUp(): boolean {
    // Node fires timers up to 1 ms early.
    return this.endedBy !== undefined || this.deadline.remainingMs() < 2;
  }

  /**
   * Follows the SDK's work for this call. Settles with it, or as soon as the call is ended, even while the SDK sleeps
   * between two RPCs of a polling loop.
   */
  follow<Result>(work: Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.rejectCaller = reject;
      if (this.endedBy) reject(this.endedBy);
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
  end(error: Error): void {
    if (this.over) return;
    this.endedBy = error;
    this.rejectCaller(error);
    this.finish();
  }

  /** The call is over. What the SDK still has on the way for it is cancelled, what it may still try is refused. */
  finish(): void {
    this.over = true;
    this.timer.cancel();
    for (const signal of this.signals) signal.removeEventListener('abort', this.onAbort);
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

  /** Keeps what came of an RPC, whatever the SDK's code makes of it. */
  answered(rpc: string, answer: object): void {
    this.noteWrite(rpc);
    const status = refusalIn(answer);
    if (status) this.failures = [...this.failures, { rpc, status }];
    else if (this.failures.length > 0) this.forgetSchemaMismatch(rpc);
  }

  failed(rpc: string, error: RpcError): void {
    if (error.failure.at === 'wire' || error.failure.at === 'answer') this.noteWrite(rpc);
    this.failures = [...this.failures, { rpc, error }];
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

  private noteWrite(rpc: string): void {
    this.wrote ||= rpcClass(rpc) !== 'read';
  }

  /** The schema was read again, and the write that had been refused for the old one sent again. */
  private forgetSchemaMismatch(rpc: string): void {
    this.failures = this.failures.filter(each => each.rpc !== rpc || !isSchemaMismatch(each));
  }

  private readonly onAbort = (event: Event): void => {
    const { reason } = event.target as AbortSignal;
    const sent = this.partly || [...this.rpcs].some(rpc => rpc.unsent() === undefined);
    const error = this.settings.abortedError?.(reason, sent);
    if (error) this.end(error);
  };
}

import { refusalIn } from '../endpoint/response-status.js';
import type { Delivered, RpcCall, RpcError, RpcMethod, RpcUnderWay } from '../endpoint/rpc.js';
import type { ConnectionSource } from '../pool/connection-source.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { type Clock, systemClock } from '../resilience/clock.js';
import { Deadline } from '../resilience/deadline.js';
import type { Expiring } from '../resilience/deadline-timers.js';
import type { RetryPolicy } from '../resilience/retry-schedule.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import { type CallFailure, isSchemaMismatch } from './call-failure.js';
import type { CallOwner, CallRequest } from './call-request.js';
import { methodClass } from './method-class.js';
import type { CollectionDescription } from './schema-cache.js';

type RpcKind = Pick<RpcMethod, 'name' | 'repeatability'>;

const noFailures: readonly CallFailure[] = Object.freeze([]);

/**
 * One public method of a client, from its begin to its end, whatever number of RPCs the SDK makes of it. All of them
 * share its deadline and its signals, and end with it.
 */
export class Call implements RpcCall, Expiring {
  readonly deadline: Deadline;
  /** The RPCs of it that Milvus refused or that failed, in their order; the SDK may have swallowed them. */
  failures: readonly CallFailure[] = noFailures;
  /** Whether an RPC that may have changed something was sent for it. */
  wrote = false;
  /** An option that is asked for something, while it waits for that. */
  waitsFor?: string;
  /** The cached description that its requests were built on. */
  usedSchema?: { key: string; description: CollectionDescription };
  /** Hardly ever more than one. */
  private rpcs: RpcUnderWay[] = [];
  /** Of an `execute()`: the calls of its function that are under way. */
  private parts?: Set<Call>;
  private onQuiet: () => void = () => {};
  private over = false;
  private partly = false;
  private doubted = false;
  private endedBy?: Error;
  private followed?: Promise<unknown>;
  private rejectCaller: (error: Error) => void = () => {};

  constructor(
    readonly request: CallRequest,
    private readonly owner: CallOwner,
    clock: Clock = systemClock,
  ) {
    const { limit, scope } = request;
    this.deadline = new Deadline(limit.timeoutMs, clock);
    // What is a part of an execute() ends with it.
    if (limit.wholeMs === undefined) owner.timers.start(this, limit.timeoutMs);
    for (const signal of scope.signals ?? []) signal.addEventListener('abort', this);
    scope.within?.partBegan(this);
  }

  get method(): string {
    return this.request.method;
  }

  get metadata(): Readonly<Record<string, string>> {
    return this.request.metadata;
  }

  get authorization(): Readonly<Record<string, string>> {
    return this.owner.authorization;
  }

  retrying(rpc: string, attempts: number, pauseMs: number, why: string): void {
    this.owner.retrying(this, rpc, attempts, pauseMs, why);
  }

  get connections(): ConnectionSource<Http2Connection> | undefined {
    const { lease } = this.request.scope;
    // What a released lease's calls still have to send finds another way.
    return lease && !lease.released ? lease.connections : undefined;
  }

  get retry(): RetryPolicy | false {
    return this.request.scope.retry;
  }

  get rerun(): boolean {
    return this.request.scope.rerun ?? false;
  }

  get probes(): boolean {
    return this.request.probes ?? false;
  }

  get idempotent(): boolean {
    return this.request.scope.idempotent ?? false;
  }

  get expiresAt(): number {
    return this.deadline.at;
  }

  /** Its time is up. @internal */
  expire(): void {
    this.endAll(call => this.owner.deadlineError(call, call.unsent()));
  }

  get ended(): boolean {
    return this.over;
  }

  /** Whether it ended, or is about to, for a reason of its own: its deadline, its signal, the end of its client. */
  get gaveUp(): boolean {
    // Node fires timers up to 1 ms early.
    return this.over || this.deadline.remainingMs() < 2;
  }

  /**
   * Follows the SDK's work for this call. Settles with it, or as soon as the call is ended, even while the SDK sleeps
   * between two RPCs of a polling loop. Results and errors are converted here, and nowhere else.
   */
  follow<Result>(work: PromiseLike<Result>): Promise<Result> {
    const followed = new Promise<Result>((resolve, reject) => {
      this.rejectCaller = reject;
      if (this.endedBy) reject(this.endedBy);
      work.then(
        result => {
          const swallowed = this.failures.length > 0 && this.owner.swallowedError(this);
          this.finish();
          if (swallowed) reject(swallowed);
          else resolve(result);
        },
        thrown => {
          // Before what is under way besides is cancelled and forgotten.
          const error = this.owner.toError(this, thrown);
          this.finish();
          reject(error);
        },
      );
    });
    this.followed = followed;
    return followed;
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
    if (this.over) return;
    this.over = true;
    const { limit } = this.request;
    if (limit.wholeMs === undefined) this.owner.timers.stop(this, limit.timeoutMs);
    for (const signal of this.request.scope.signals ?? []) signal.removeEventListener('abort', this);
    const { rpcs } = this;
    this.rpcs = [];
    // What waits first, or it would be sent in the moment in which the others leave room.
    for (const rpc of rpcs) if (rpc.unsent()) rpc.cancel();
    for (const rpc of rpcs) rpc.cancel();
    this.request.scope.within?.partEnded(this);
    this.owner.callEnded(this);
  }

  begin(rpc: RpcUnderWay): (outcomeUnknown: boolean) => void {
    this.rpcs.push(rpc);
    return outcomeUnknown => {
      this.rpcs = this.rpcs.filter(each => each !== rpc);
      if (rpc.sends > 0) this.noteSent();
      if (outcomeUnknown) this.noteDoubt();
    };
  }

  /**
   * Ends its parts, but for those of which Milvus may be executing something that changes it: resolves when they have ended too, which
   * is by this one's deadline.
   */
  quiet(end: (part: Call) => Error): Promise<void> {
    for (const part of this.partsUnderWay) if (!part.outcomeUnknown) part.endUnseen(end(part));
    if (!this.parts?.size) return Promise.resolve();
    return new Promise(resolve => {
      this.onQuiet = resolve;
    });
  }

  /** This one first, so that whoever waits for it does not go on with the end of a part. */
  private endAll(error: (call: Call) => Error): void {
    const parts = this.partsUnderWay;
    this.end(error(this));
    for (const part of parts) part.endUnseen(error(part));
  }

  /** Nobody may be waiting for it any more. */
  private endUnseen(error: Error): void {
    this.followed?.catch(() => {});
    this.end(error);
  }

  private partBegan(part: Call): void {
    this.parts ??= new Set();
    this.parts.add(part);
  }

  private partEnded(part: Call): void {
    this.parts?.delete(part);
    if (this.parts?.size === 0) this.onQuiet();
  }

  /** Notes what it waits for besides Milvus, for the error that it may end with. */
  async waitFor<T>(what: string, work: Promise<T>): Promise<T> {
    this.waitsFor = what;
    try {
      return await work;
    } finally {
      this.waitsFor = undefined;
    }
  }

  /** Keeps what came of an RPC, whatever the SDK's code makes of it. */
  answered({ name: rpc, repeatability }: RpcKind, answer: object, delivered?: Delivered): void {
    if (repeatability !== 'read') this.noteWrite();
    const status = refusalIn(answer);
    if (status) this.refused({ rpc, status, delivered });
    else if (this.failures.length > 0) this.forgetSchemaMismatch(rpc);
  }

  failed({ name, repeatability }: RpcKind, error: RpcError): void {
    const { at } = error.failure;
    const sent = at === 'wire' || at === 'answer' || (error.delivered?.attempts ?? 0) > 0;
    if (sent && repeatability !== 'read') this.noteWrite();
    this.failures = [...this.failures, { rpc: name, error }];
  }

  /** Whether an RPC of it was sent, and is over. */
  get executedInPart(): boolean {
    return this.partly;
  }

  /** Whether Milvus may have executed something of it, or may still do so. */
  get mayRun(): boolean {
    return (
      this.partly || this.rpcs.some(rpc => rpc.uncertain) || this.partsUnderWay.some(part => part.mayRun)
    );
  }

  /** As that, of what is to change something. */
  get outcomeUnknown(): boolean {
    return (
      this.doubted ||
      this.rpcs.some(rpc => rpc.uncertain && rpc.writes) ||
      this.partsUnderWay.some(part => part.outcomeUnknown)
    );
  }

  /** How often what is under way for it was sent. */
  get attempts(): number {
    return Math.max(0, ...this.rpcs.map(rpc => rpc.sends));
  }

  /** Why nothing of it was ever sent: all its RPCs still wait for a connection. */
  unsent(): PoolFailure | undefined {
    if (this.partly) return undefined;
    const reasons = [...this.rpcs, ...this.partsUnderWay].map(each => each.unsent());
    return reasons.includes(undefined) ? undefined : reasons[0];
  }

  /** One of its signals aborted. @internal */
  handleEvent({ target }: Event): void {
    const { reason } = target as AbortSignal;
    this.endAll(call => this.owner.abortedError(call, reason));
  }

  private refused(failure: CallFailure): void {
    this.failures = [...this.failures, failure];
    if (methodClass(this.method) !== 'wait') return;
    // Some of the SDK's loops ask on and on, whatever Milvus answers.
    const swallowed = this.owner.swallowedError(this);
    if (swallowed) this.end(swallowed);
  }

  private get partsUnderWay(): Call[] {
    return [...(this.parts ?? [])];
  }

  // What is true of a part is true of the whole.

  private noteWrite(): void {
    this.wrote = true;
    this.request.scope.within?.noteWrite();
  }

  private noteSent(): void {
    this.partly = true;
    this.request.scope.within?.noteSent();
  }

  private noteDoubt(): void {
    this.doubted = true;
    this.request.scope.within?.noteDoubt();
  }

  /** The schema was read again, and the write that had been refused for the old one sent again. */
  private forgetSchemaMismatch(rpc: string): void {
    this.failures = this.failures.filter(each => each.rpc !== rpc || !isSchemaMismatch(each));
  }
}

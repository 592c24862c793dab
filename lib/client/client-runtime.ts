import { Endpoint } from '../endpoint/endpoint.js';
import { type Rpc, RpcError } from '../endpoint/rpc.js';
import { poolError } from '../endpoint/rpc-errors.js';
import { optionDefaults } from '../options/defaults.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { Lease } from '../pool/lease.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { systemClock } from '../resilience/clock.js';
import { DeadlineTimers } from '../resilience/deadline-timers.js';
import { ClientLog } from '../telemetry/client-log.js';
import { PoolEvents } from '../telemetry/pool-events.js';
import type { PoolState, PoolStats } from '../telemetry/pool-telemetry.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import { Call, type CallOwner, type CallRequest } from './call.js';
import { fromCallFailure, toMilvusError, toPlainError } from './call-errors.js';
import { unhandledFailure } from './call-failure.js';
import { type CallLimit, CallLimits, limitOf } from './call-limits.js';
import type { ClientDrainReport } from './drain-report.js';
import { abortedError, cancelledError, plainTimeoutError, timeoutError } from './end-errors.js';
import { ACQUIRE, EXECUTE, type FailedCall, RECONNECT } from './failed-call.js';
import { LeakDetector } from './leak-detector.js';
import { HeldConnection } from './milvus-lease.js';
import { circuitOpenError, overError, refusedError, releasedError } from './pool-errors.js';

/** What one client is while the application runs: its calls in flight, its endpoint, and the way it ends. */
export class ClientRuntime implements CallOwner {
  readonly options: Omit<ResolvedClientOptions, 'credentials'>;
  /** User that Milvus is told of; empty when the client has none. */
  readonly user: string;
  readonly endpoint: Endpoint;
  readonly limits: CallLimits;
  readonly timers: DeadlineTimers;
  readonly log: ClientLog;
  readonly events: PoolEvents;
  readonly leaks: LeakDetector;
  /** Whether the application has initialised, so that many callers share the client. */
  serving = false;
  private readonly calls = new Set<Call>();
  private admitted = 0;
  private readonly leases = new Set<HeldConnection>();
  /** A closure, so that no log that prints this object prints a password. */
  private readonly authorize: () => Record<string, string>;
  private readonly ending = new AbortController();
  private report?: Promise<ClientDrainReport>;
  private onIdle: () => void = () => {};

  constructor({ credentials, ...options }: ResolvedClientOptions) {
    this.options = options;
    this.limits = new CallLimits(options.timeouts);
    this.timers = new DeadlineTimers(Object.values(options.timeouts));
    this.log = new ClientLog(options.name);
    this.events = new PoolEvents(options.name, this.log);
    this.leaks = new LeakDetector(options.name, options.leakDetection, this.events);
    this.endpoint = new Endpoint(options.endpoint, this.events);
    this.user = credentials && 'username' in credentials ? credentials.username : '';
    const headers = authorization(credentials);
    this.authorize = () => headers;
  }

  get state(): PoolState {
    const { state } = this.endpoint;
    return this.report && state !== 'closed' ? 'draining' : state;
  }

  stats(): PoolStats {
    return Object.freeze({ calls: this.admitted, ...this.endpoint.stats() });
  }

  /** Of a health check or ping that names none, in ms. */
  get healthTimeoutMs(): number {
    const { health } = this.options.endpoint;
    return health === false ? optionDefaults.health.timeoutMs : health.timeoutMs;
  }

  /** Aborts when the client begins to drain. */
  get endSignal(): AbortSignal {
    return this.ending.signal;
  }

  /** Runs one call of a public method: admits it, bounds it, and gives its caller the result or error it wants. */
  call<Result>(request: CallRequest, work: (call: Call) => PromiseLike<Result> | Result): Promise<Result> {
    const refusal = this.refusal(request);
    if (refusal) return Promise.reject(refusal);
    const call = new Call(request, this);
    this.calls.add(call);
    if (sendsRpcs(request.method) && !request.unattended) this.admitted++;
    return call.follow(begin(() => work(call)));
  }

  /** Credentials, which every call carries. */
  credentials(): Readonly<Record<string, string>> {
    return this.authorize();
  }

  /** Sends one RPC of a call; where that polls, within the limit of the RPC's own class. */
  send(rpc: Rpc, call: Call): Promise<object> {
    const limit = this.limits.ofRpc(rpc.method.name, call.method);
    rpc.timeoutMs = Math.min(rpc.timeoutMs, limit.timeoutMs);
    return this.endpoint.gateway.send(rpc, call);
  }

  /**
   * A connection for the caller alone, in his turn.
   *
   * @param trace where he asked for it
   */
  async acquireLease(request: CallRequest, trace: { stack?: string }): Promise<HeldConnection> {
    const { pool } = this.endpoint;
    let held: HeldConnection | undefined;
    const wait = (call: Call) =>
      new Promise<HeldConnection>((resolve, reject) => {
        let leaveLine = () => {};
        const unsent = () => (held ? undefined : pool.whyNoLease());
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
        leaveLine = pool.lease({ use, fail }, request.limit.timeoutMs);
      });
    try {
      return await this.call(request, wait);
    } catch (error) {
      // It came in the moment in which its caller gave up.
      held?.release();
      throw error;
    }
  }

  /** @throws MilvusUnavailableError, MilvusClosedError */
  async reconnect(): Promise<void> {
    const method = RECONNECT;
    const limit = limitOf(this.options.endpoint.pool.connectTimeoutMs);
    const described = { client: this.options.name, method, limit };
    if (this.report) throw refusedError(described);
    try {
      await this.endpoint.pool.reconnect();
    } catch (failure) {
      throw toMilvusError(poolError(method, failure as PoolFailure), undefined, described);
    }
  }

  private hold(lease: Lease<Http2Connection>, trace: { stack?: string }): HeldConnection {
    const held = new HeldConnection(lease, () => {
      this.leases.delete(held);
      this.leaks.released(held);
      this.tellIfIdle();
    });
    this.leases.add(held);
    this.leaks.acquired(held, trace);
    return held;
  }

  deadlineError(call: Call, unsent: PoolFailure | undefined): Error {
    const described = this.describe(call);
    const error = timeoutError(described, unsent);
    return call.request.scope.errors === 'throw' ? error : plainTimeoutError(error, described);
  }

  abortedError(call: Call, reason: unknown): Error {
    return abortedError(this.describe(call), reason);
  }

  swallowedError(call: Call): Error | undefined {
    const { scope, strict, method } = call.request;
    if (scope.errors === 'status' && !strict) return undefined;
    const failure = unhandledFailure(method, call.failures);
    return failure && fromCallFailure(failure, this.describe(call));
  }

  toError(call: Call, thrown: unknown): unknown {
    const { scope, strict, method } = call.request;
    // What the function of an execute() throws is its own, or a MilvusError already.
    if (method === EXECUTE) return thrown;
    const described = { ...this.describe(call), rpcLimit: this.soonerLimit(thrown, call) };
    const failure = unhandledFailure(method, call.failures);
    if (scope.errors === 'throw' || (strict && failure?.status)) {
      return toMilvusError(thrown, failure, described);
    }
    return toPlainError(thrown, described);
  }

  callEnded(call: Call): void {
    this.calls.delete(call);
    this.tellIfIdle();
  }

  /**
   * Admits no more calls but those of leases, lets what is under way end within the limit, cancels the rest, closes every
   * connection.
   */
  drain(timeoutMs: number): Promise<ClientDrainReport> {
    this.report ??= this.runDrain(timeoutMs);
    return this.report;
  }

  private async runDrain(timeoutMs: number): Promise<ClientDrainReport> {
    const startedAt = systemClock.now();
    this.ending.abort();
    this.cancel([...this.calls].filter(({ request }) => request.unattended));
    const inFlight = this.inFlight;
    this.log.draining(inFlight, timeoutMs);
    await this.idleWithin(timeoutMs);
    const cancelled = this.inFlight;
    const heldLeases = this.leases.size;
    // First, or what waits for a lease would go out on a shared connection.
    this.cancel([...this.calls]);
    for (const held of this.leases) held.release();
    this.timers.close();
    await (cancelled > 0 ? this.endpoint.destroy() : this.endpoint.close());
    const report: ClientDrainReport = {
      client: this.options.name,
      outcome: cancelled + heldLeases > 0 ? 'timedOut' : 'clean',
      finishedCalls: Math.max(0, inFlight - cancelled),
      cancelledCalls: cancelled,
      heldLeases,
      durationMs: systemClock.now() - startedAt,
    };
    this.log.drained(report);
    this.events.complete();
    return report;
  }

  /** The limit of the RPC that ran out of time while its call had time left. */
  private soonerLimit(error: unknown, call: Call): CallLimit | undefined {
    if (!(error instanceof RpcError) || call.deadline.remainingMs() === 0) return undefined;
    const limit = this.limits.ofRpc(error.rpc, call.method);
    return limit.timeoutMs < call.deadline.timeoutMs ? limit : undefined;
  }

  /** Calls; those within an `execute()` are one with it. */
  private get inFlight(): number {
    return [...this.calls].filter(({ request }) => request.scope.within?.ended ?? true).length;
  }

  private cancel(calls: Call[]): void {
    // The latest first, which are parts of an execute() before it; and before all those that wait, or they would be sent in the moment
    // in which the others leave room.
    const latestFirst = calls.reverse();
    const waiting = latestFirst.filter(call => call.unsent());
    for (const call of [...waiting, ...latestFirst]) call.end(cancelledError(this.describe(call)));
  }

  /** Why a call does not even begin. */
  private refusal({ method, limit, scope, probes }: CallRequest): Error | undefined {
    const described = { client: this.options.name, method, limit };
    const { lease, within, run } = scope;
    if (lease?.released) return releasedError(described);
    // Who holds a lease, or is in the middle of an execute(), may finish what he has begun.
    if (within?.ended || run?.over) return overError(described);
    if (this.report && !lease && !within) return refusedError(described);
    const aborted = scope.signals?.find(signal => signal.aborted);
    if (aborted) return abortedError(described, aborted.reason);
    // Before the SDK takes pains with the request.
    if (probes || !sendsRpcs(method) || !this.endpoint.refuses()) return undefined;
    return circuitOpenError(described, this.endpoint.circuit.retryAfterMs);
  }

  private describe(call: Call): FailedCall {
    const { request, executedInPart, wrote, attempts, mayRun, outcomeUnknown } = call;
    const { method, limit } = request;
    const client = this.options.name;
    return { client, method, limit, executedInPart, wrote, attempts, mayRun, outcomeUnknown };
  }

  private get idle(): boolean {
    return this.calls.size === 0 && this.leases.size === 0;
  }

  private tellIfIdle(): void {
    if (this.idle) this.onIdle();
  }

  private idleWithin(timeoutMs: number): Promise<void> {
    if (this.idle) return Promise.resolve();
    return new Promise(resolve => {
      const limit = systemClock.schedule(resolve, timeoutMs, true);
      this.onIdle = () => {
        limit.cancel();
        resolve();
      };
    });
  }
}

/** What is a frame for calls of its own does not. */
function sendsRpcs(method: string): boolean {
  return method !== ACQUIRE && method !== EXECUTE;
}

/** The SDK's few synchronous methods give results and errors as its others do. */
function begin<Result>(work: () => PromiseLike<Result> | Result): PromiseLike<Result> {
  try {
    const result = work();
    return isPromiseLike(result) ? result : Promise.resolve(result);
  } catch (error) {
    return Promise.reject(error);
  }
}

export function isPromiseLike<T>(value: PromiseLike<T> | T): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

function authorization(credentials: ResolvedClientOptions['credentials']): Record<string, string> {
  if (!credentials) return {};
  const plain =
    'token' in credentials ? credentials.token : `${credentials.username}:${credentials.password}`;
  return { authorization: Buffer.from(plain, 'utf8').toString('base64') };
}

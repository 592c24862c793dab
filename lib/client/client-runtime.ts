import type { Endpoint } from '../endpoint/endpoint.js';
import { type Rpc, RpcError } from '../endpoint/rpc.js';
import { poolError } from '../endpoint/rpc-errors.js';
import type { ServerQuestions } from '../endpoint/server-question.js';
import type { EndpointClaim } from '../endpoint/shared-endpoint.js';
import type { SharedEndpoints } from '../endpoint/shared-endpoints.js';
import { optionDefaults } from '../options/defaults.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { backgroundClock } from '../resilience/background.js';
import { DeadlineTimers } from '../resilience/deadline-timers.js';
import { ClientLog } from '../telemetry/client-log.js';
import { PoolEvents } from '../telemetry/pool-events.js';
import type { PoolState, PoolStats } from '../telemetry/pool-telemetry.js';
import type { WaitingLog } from '../telemetry/waiting-log.js';
import { Call } from './call.js';
import { fromCallFailure, toMilvusError, toPlainError } from './call-errors.js';
import { unhandledFailure } from './call-failure.js';
import { type CallLimit, CallLimits, limitOf } from './call-limits.js';
import type { CallOwner, CallRequest } from './call-request.js';
import { CallsInFlight } from './calls-in-flight.js';
import { ClientCredentials } from './client-credentials.js';
import { ClientDrain } from './client-drain.js';
import { ClientIdentity } from './client-identity.js';
import { ClientLeases } from './client-leases.js';
import type { ClientDrainReport } from './drain-report.js';
import { abortedError, cancelledError, plainTimeoutError, timeoutError } from './end-errors.js';
import { ACQUIRE, EXECUTE, type FailedCall, RECONNECT } from './failed-call.js';
import { LeakDetector } from './leak-detector.js';
import type { HeldConnection } from './milvus-lease.js';
import { circuitOpenError, overError, refusedError, releasedError } from './pool-errors.js';

/** What one client is while the application runs: its calls in flight, its share of an endpoint, and the way it ends. */
export class ClientRuntime implements CallOwner {
  readonly options: Omit<ResolvedClientOptions, 'credentials'>;
  readonly limits: CallLimits;
  readonly timers: DeadlineTimers;
  readonly log: ClientLog;
  readonly events: PoolEvents;
  readonly leaks: LeakDetector;
  readonly identity: ClientIdentity;
  /** Is called when it begins to drain. */
  onEnding = () => {};
  /** Whether the application has initialised, so that many callers share the client. */
  serving = false;
  private readonly claim: EndpointClaim;
  private readonly calls = new CallsInFlight();
  private readonly leases: ClientLeases;
  /** Public methods that were called, and admitted. */
  private admitted = 0;
  private ending?: AbortController;
  private ends?: ClientDrain;
  private report?: Promise<ClientDrainReport>;
  private closed = false;

  /** @param questions by which its endpoint learns how the server is */
  constructor(
    { credentials, ...options }: ResolvedClientOptions,
    endpoints: SharedEndpoints,
    questions: ServerQuestions,
  ) {
    const { name } = options;
    this.options = options;
    this.limits = new CallLimits(options.timeouts);
    this.timers = new DeadlineTimers(Object.values(options.timeouts), backgroundClock);
    this.log = new ClientLog(name, () => this.where);
    this.events = new PoolEvents(name, this.log, endpoints.events);
    this.leaks = new LeakDetector(name, options.leakDetection, this.events);
    const { log, events, leaks } = this;
    this.claim = endpoints.claim(options.endpoint, { name, questions, log, events });
    const asked = new ClientCredentials(credentials, log);
    this.identity = new ClientIdentity(name, asked, this.endpoint.gateway);
    this.leases = new ClientLeases(this.endpoint.pool, leaks, () => this.ends?.ended());
  }

  get endpoint(): Endpoint {
    return this.claim.endpoint;
  }

  /** What keeps the clients of its endpoint from starting. */
  get waiting(): WaitingLog {
    return this.claim.waiting;
  }

  get state(): PoolState {
    if (this.closed) return 'closed';
    return this.report ? 'draining' : this.endpoint.state;
  }

  get callCount(): number {
    return this.admitted;
  }

  stats(): PoolStats {
    const { name: address, users: clients } = this.where;
    const endpoint = Object.freeze({ address, clients });
    return Object.freeze({ calls: this.admitted, endpoint, ...this.endpoint.stats() });
  }

  /** Of a health check or ping that names none, in ms. */
  get healthTimeoutMs(): number {
    const { health } = this.options.endpoint;
    return health === false ? optionDefaults.health.timeoutMs : health.timeoutMs;
  }

  /** It drains, or is closed. */
  get ended(): boolean {
    return this.report !== undefined;
  }

  /** Aborts when the client begins to drain. */
  get endSignal(): AbortSignal {
    this.ending ??= new AbortController();
    if (this.ended) this.ending.abort();
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

  /** Of each request, as it is now. */
  get authorization(): Readonly<Record<string, string>> {
    return this.identity.credentials.headers;
  }

  /** Sends one RPC of a call; where that polls, within the limit of the RPC's own class. */
  send(rpc: Rpc, call: Call): Promise<object> {
    const limit = this.limits.ofRpc(rpc.method.name, call.method);
    rpc.timeoutMs = Math.min(rpc.timeoutMs, limit.timeoutMs);
    return this.identity.send(rpc, call);
  }

  /**
   * A connection for the caller alone, in his turn.
   *
   * @param trace where he asked for it
   */
  acquireLease(request: CallRequest, trace: { stack?: string }): Promise<HeldConnection> {
    return this.leases.acquire(wait => this.call(request, wait), request.limit.timeoutMs, trace);
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

  retrying(_call: Call, rpc: string, attempts: number, pauseMs: number, why: string): void {
    this.log.retrying(rpc, attempts, pauseMs, why);
  }

  callEnded(call: Call): void {
    this.calls.delete(call);
    this.ends?.ended();
  }

  /**
   * Admits no more calls but those of leases, lets what is under way end within the limit, cancels the rest, gives up its share of
   * the endpoint. A second one gets the report of the first.
   */
  drain(timeoutMs: number): Promise<ClientDrainReport> {
    // It is there before anybody is told: whoever then drains too gets the same.
    this.report ??= Promise.resolve().then(() => this.runDrain(timeoutMs));
    return this.report;
  }

  /** The application ends: a drain that is under way with a later limit gets this one. */
  hurryDrain(limitMs: number): void {
    this.ends?.hurry(limitMs);
  }

  private async runDrain(timeoutMs: number): Promise<ClientDrainReport> {
    const { state } = this.endpoint;
    const { calls, leases, leaks, claim, log, timers, events, identity } = this;
    this.ending?.abort();
    this.onEnding();
    this.ends = new ClientDrain({
      ...{ name: this.options.name, calls, leases, leaks, claim, log },
      cancelledError: call => cancelledError(this.describe(call)),
      refusedError: call => refusedError(this.describe(call)),
      closeTimers: () => {
        timers.close();
        identity.credentials.close();
      },
      stateChanged: (from, to) => {
        this.closed = to === 'closed';
        events.ended(from, to);
      },
    });
    return this.ends.run(state, timeoutMs);
  }

  /** The limit of the RPC that ran out of time while its call had time left. */
  private soonerLimit(error: unknown, call: Call): CallLimit | undefined {
    if (!(error instanceof RpcError) || call.deadline.remainingMs() === 0) return undefined;
    const limit = this.limits.ofRpc(error.rpc, call.method);
    return limit.timeoutMs < call.deadline.timeoutMs ? limit : undefined;
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
    const { request, executedInPart, wrote, attempts, mayRun, outcomeUnknown, waitsFor } = call;
    const { method, limit } = request;
    const client = this.options.name;
    const asksCredentials = !this.identity.credentials.fixed;
    const state = { executedInPart, wrote, attempts, mayRun, outcomeUnknown, waitsFor };
    return { client, method, limit, asksCredentials, ...state };
  }

  private get where(): { name: string; users: readonly string[] } {
    const { claim } = this;
    // Looked up by those who name them: among thousands that takes a while.
    return {
      name: claim.endpoint.name,
      get users() {
        return claim.users;
      },
    };
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

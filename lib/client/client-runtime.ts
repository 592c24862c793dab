import { Endpoint } from '../endpoint/endpoint.js';
import { type Rpc, RpcError } from '../endpoint/rpc.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { systemClock } from '../resilience/clock.js';
import { ClientLog } from '../telemetry/client-log.js';
import type { PoolState, PoolStats } from '../telemetry/pool-telemetry.js';
import { Call } from './call.js';
import {
  abortedError,
  cancelledError,
  type FailedCall,
  fromCallFailure,
  plainTimeoutError,
  refusedError,
  timeoutError,
  toMilvusError,
  toPlainError,
} from './call-errors.js';
import { unhandledFailure } from './call-failure.js';
import { type CallLimit, CallLimits } from './call-limits.js';
import type { CallScope } from './call-scope.js';
import type { ClientDrainReport } from './drain-report.js';

/** A call that somebody asks for. */
export interface CallRequest {
  method: string;
  /** Database and client id that hold for this call. */
  metadata: Record<string, string>;
  limit: CallLimit;
  scope: Pick<CallScope, 'signals' | 'errors'>;
  /** Nobody waits for it. */
  unattended?: boolean;
  /** A refusal that the SDK swallows is an error even where the caller wants statuses: there is none to look at. */
  strict?: boolean;
}

/** What one client is while the application runs: its calls in flight, its endpoint, and the way it ends. */
export class ClientRuntime {
  readonly options: Omit<ResolvedClientOptions, 'credentials'>;
  /** User that Milvus is told of; empty when the client has none. */
  readonly user: string;
  readonly endpoint: Endpoint;
  readonly limits: CallLimits;
  readonly log: ClientLog;
  /** Whether the application has booted, so that many callers share the client. */
  serving = false;
  private readonly calls = new Set<Call>();
  /** A closure, so that no log that prints this object prints a password. */
  private readonly authorize: () => Record<string, string>;
  private readonly ending = new AbortController();
  private report?: Promise<ClientDrainReport>;
  private onIdle: () => void = () => {};

  constructor({ credentials, ...options }: ResolvedClientOptions) {
    this.options = options;
    this.limits = new CallLimits(options.timeouts);
    this.log = new ClientLog(options.name);
    this.endpoint = new Endpoint(options.endpoint, this.log);
    this.user = credentials && 'username' in credentials ? credentials.username : '';
    const headers = authorization(credentials);
    this.authorize = () => headers;
  }

  get state(): PoolState {
    const { state } = this.endpoint.pool;
    return this.report && state !== 'closed' ? 'draining' : state;
  }

  stats(): PoolStats {
    return this.endpoint.pool.stats();
  }

  /** Aborts when the client begins to drain. */
  get endSignal(): AbortSignal {
    return this.ending.signal;
  }

  /** Runs one call of a public method: admits it, bounds it, and turns its failure into the error its caller wants. */
  async call<Result>(request: CallRequest, work: (call: Call) => Promise<Result>): Promise<Result> {
    const { method, limit, scope, unattended, metadata, strict } = request;
    const described: FailedCall = { client: this.options.name, method, limit };
    if (this.report) throw refusedError(described);
    const throws = scope.errors === 'throw';
    for (const { aborted, reason } of scope.signals ?? []) {
      if (aborted) throw abortedError(described, reason, false);
    }
    const call = new Call({
      method,
      timeoutMs: limit.timeoutMs,
      unattended,
      metadata: { ...this.authorize(), ...metadata },
      signals: scope.signals,
      timeoutError: unsent => {
        const error = timeoutError(described, unsent);
        return throws ? error : plainTimeoutError(error, described);
      },
      abortedError: (reason, sent) => abortedError(described, reason, sent),
    });
    this.calls.add(call);
    try {
      const result = await call.follow(work(call));
      const swallowed = (throws || strict) && unhandledFailure(method, call.failures);
      if (swallowed) throw fromCallFailure(swallowed, described);
      return result;
    } catch (error) {
      const { executedInPart, wrote } = call;
      const failed = { ...described, executedInPart, wrote, rpcLimit: this.soonerLimit(error, call) };
      const failure = unhandledFailure(method, call.failures);
      if (throws || (strict && failure?.status)) throw toMilvusError(error, failure, failed);
      throw toPlainError(error, failed);
    } finally {
      this.calls.delete(call);
      if (this.calls.size === 0) this.onIdle();
    }
  }

  /** Sends one RPC of a call, within the limit of the RPC's class too. */
  send(rpc: Rpc, call: Call): Promise<object> {
    const limit = this.limits.ofRpc(rpc.method.name, call.method);
    const timeoutMs = Math.min(rpc.timeoutMs, limit.timeoutMs);
    return this.endpoint.gateway.send({ ...rpc, timeoutMs }, call);
  }

  /** Admits no more calls, lets those in flight end within the limit, cancels the rest, closes every connection. */
  drain(timeoutMs: number): Promise<ClientDrainReport> {
    this.report ??= this.runDrain(timeoutMs);
    return this.report;
  }

  private async runDrain(timeoutMs: number): Promise<ClientDrainReport> {
    const startedAt = systemClock.now();
    this.ending.abort();
    this.cancel([...this.calls].filter(({ unattended }) => unattended));
    const inFlight = this.callsInFlight().length;
    this.log.draining(inFlight, timeoutMs);
    await this.idleWithin(timeoutMs);
    const cancelled = this.callsInFlight();
    this.cancel(cancelled);
    await (cancelled.length > 0 ? this.endpoint.pool.destroy() : this.endpoint.pool.close());
    const report: ClientDrainReport = {
      client: this.options.name,
      outcome: cancelled.length > 0 ? 'timedOut' : 'clean',
      finishedCalls: inFlight - cancelled.length,
      cancelledCalls: cancelled.length,
      durationMs: systemClock.now() - startedAt,
    };
    this.log.drained(report);
    return report;
  }

  /** The limit of the RPC that ran out of time while its call had time left. */
  private soonerLimit(error: unknown, call: Call): CallLimit | undefined {
    if (!(error instanceof RpcError) || call.deadline.remainingMs() === 0) return undefined;
    const limit = this.limits.ofRpc(error.rpc, call.method);
    return limit.timeoutMs < call.deadline.timeoutMs ? limit : undefined;
  }

  private callsInFlight(): Call[] {
    return [...this.calls].filter(({ ended }) => !ended);
  }

  private cancel(calls: Call[]): void {
    for (const call of calls) {
      const sent = call.unsent() === undefined;
      call.end(cancelledError({ client: this.options.name, method: call.method }, sent));
    }
  }

  private idleWithin(timeoutMs: number): Promise<void> {
    if (this.calls.size === 0) return Promise.resolve();
    return new Promise(resolve => {
      const limit = systemClock.schedule(resolve, timeoutMs, true);
      this.onIdle = () => {
        limit.cancel();
        resolve();
      };
    });
  }
}

function authorization(credentials: ResolvedClientOptions['credentials']): Record<string, string> {
  if (!credentials) return {};
  const plain =
    'token' in credentials ? credentials.token : `${credentials.username}:${credentials.password}`;
  return { authorization: Buffer.from(plain, 'utf8').toString('base64') };
}

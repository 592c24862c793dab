import { Endpoint } from '../endpoint/endpoint.js';
import type { Rpc } from '../endpoint/rpc.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import { systemClock } from '../resilience/clock.js';
import { ClientLog } from '../telemetry/client-log.js';
import type { PoolState, PoolStats } from '../telemetry/pool-telemetry.js';
import { Call } from './call.js';
import { cancelledError, type FailedCall, refusedError, timeoutError, toCallError } from './call-errors.js';
import type { ClientDrainReport } from './drain-report.js';
import { type MethodClass, methodClass } from './method-class.js';

/** A call that somebody asks for. */
export interface CallRequest {
  method: string;
  /** Database and client id that hold for this call. */
  metadata: Record<string, string>;
  /** The request's own limit, in ms, instead of the one of the method's class. */
  timeoutMs?: number;
  /** Nobody waits for it. */
  unattended?: boolean;
}

/** What one client is while the application runs: its calls in flight, its endpoint, and the way it ends. */
export class ClientRuntime {
  readonly options: Omit<ResolvedClientOptions, 'credentials'>;
  /** User that Milvus is told of; empty when the client has none. */
  readonly user: string;
  readonly endpoint: Endpoint;
  readonly log: ClientLog;
  private readonly calls = new Set<Call>();
  /** A closure, so that no log that prints this object prints a password. */
  private readonly authorize: () => Record<string, string>;
  private readonly ending = new AbortController();
  private report?: Promise<ClientDrainReport>;
  private onIdle: () => void = () => {};

  constructor({ credentials, ...options }: ResolvedClientOptions) {
    this.options = options;
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

  /** Runs one call of a public method: admits it, bounds it by its deadline, turns its failure into a MilvusError. */
  async call<Result>(
    { method, metadata, unattended, ...wanted }: CallRequest,
    work: (call: Call) => Promise<Result>,
  ): Promise<Result> {
    const timeoutMs = wanted.timeoutMs ?? this.timeoutMs(methodClass(method));
    const described: FailedCall = { client: this.options.name, method, timeoutMs };
    if (this.report) throw refusedError(described);
    const call = new Call({
      method,
      timeoutMs,
      unattended,
      metadata: { ...this.authorize(), ...metadata },
      timeoutError: unsent => timeoutError(described, unsent),
    });
    this.calls.add(call);
    try {
      return await call.follow(work(call));
    } catch (error) {
      throw toCallError(error, { ...described, executedInPart: call.executedInPart });
    } finally {
      this.calls.delete(call);
      if (this.calls.size === 0) this.onIdle();
    }
  }

  send(rpc: Rpc, call: Call): Promise<object> {
    return this.endpoint.gateway.send(rpc, call);
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

  private timeoutMs(of: MethodClass): number {
    const { readMs, writeMs, adminMs, waitMs } = this.options.timeouts;
    return { read: readMs, write: writeMs, admin: adminMs, wait: waitMs }[of];
  }
}

function authorization(credentials: ResolvedClientOptions['credentials']): Record<string, string> {
  if (!credentials) return {};
  const plain =
    'token' in credentials ? credentials.token : `${credentials.username}:${credentials.password}`;
  return { authorization: Buffer.from(plain, 'utf8').toString('base64') };
}

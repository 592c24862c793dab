import { inspect } from 'node:util';
import { CONNECT_STATUS, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { SharedEndpoints } from '../endpoint/shared-endpoints.js';
import { describeAddress } from '../options/address.js';
import { optionDefaults } from '../options/defaults.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { MilvusCallOptions, MilvusExecuteOptions } from './call-scope.js';
import { createSoloChannel, isCallView } from './call-view.js';
import { ClientInternals, internals } from './client-internals.js';
import { ClientParts } from './client-parts.js';
import { ClientPool } from './client-pool.js';
import { ClientRuntime } from './client-runtime.js';
import { type DrainReport, drainReport } from './drain-report.js';
import { execute } from './execution.js';
import { mend } from './mended-methods.js';
import type { MilvusPool } from './milvus-pool.js';
import { openPages } from './page-iterator.js';
import { milvusService } from './rpc-channel.js';
import { runAsCall } from './sdk-call.js';
import { SdkClient, sdkAliases } from './sdk-client.js';
import { isIterator, type SdkMethod, sdkMethods } from './sdk-methods.js';
import type { MilvusPing } from './server-probe.js';

/**
 * A `MilvusClient` whose calls go over a pool of real HTTP/2 connections: the SDK's whole API, with a deadline for each
 * call, a bounded wait for a connection, and an end that waits for calls in flight.
 *
 * Building one touches no network. Inject it with {@link InjectMilvus}; the module starts and closes it.
 */
export class PooledMilvusClient extends SdkClient {
  // No `#private` members and no fields with the SDK's names: calls run on `Object.create(client)`.

  /** The name it is registered under. */
  readonly name: string;
  /** The connections that carry its calls. */
  get pool(): MilvusPool {
    const behind = this[internals];
    behind.pool ??= new ClientPool(behind, derive);
    return behind.pool;
  }

  /** @internal */
  declare [internals]: ClientInternals;

  /** @internal Clients are made by the module. */
  constructor(options: ResolvedClientOptions, endpoints = new SharedEndpoints()) {
    super({ address: describeAddress(options.endpoint.addresses[0]!), database: options.database });
    const { methods } = milvusService(this);
    const metadata = () => this[internals].metadata();
    const runtime: ClientRuntime = new ClientRuntime(options, endpoints, {
      checkHealth: methods.get('CheckHealth')!,
      getVersion: methods.get('GetVersion')!,
      metadata: () => ({ ...runtime.authorization, ...metadata() }),
    });
    const parts = new ClientParts(this, runtime, methods, metadata);
    const { name, errors, retry } = options;
    this.name = name;
    this[internals] = new ClientInternals(parts, { errors, retry });
    defineAliases();
  }

  /**
   * A client for calls with a limit, a signal, a database or an error mode of their own. It shares everything else with
   * this one, costs next to nothing and needs no end.
   *
   * @throws MilvusConfigurationError that names the option which is wrong or unknown
   */
  with(options: MilvusCallOptions): this {
    return derive(this[internals].with(options ?? {})) as this;
  }

  /**
   * Runs a function whose calls belong together: one deadline and one signal over all of them, and a client that drains lets them
   * finish. With `idempotent: true` a failure that passes (Milvus is away, overloaded, or lost the connection) runs the whole function
   * again; its calls are not repeated one by one then. What the function throws itself is thrown as it is.
   *
   * @param fn makes its calls on the client that it gets; others are not bounded
   * @throws MilvusDeadlineExceededError, MilvusAbortedError as soon as it happens, whatever the function is doing
   * @throws MilvusRetriesExhaustedError when it ran more than once, with the error of each run
   */
  execute<Result>(
    fn: (client: this) => Promise<Result> | Result,
    options: MilvusExecuteOptions = {},
  ): Promise<Result> {
    return execute(this[internals], behind => fn(derive(behind) as this), options);
  }

  /**
   * Asks the server for its version.
   *
   * @param options `timeoutMs` defaults to `health.timeoutMs` (2000)
   * @throws MilvusConnectionError when there is no answer in time
   */
  async ping(options: { timeoutMs?: number } = {}): Promise<MilvusPing> {
    const { probe, runtime, scope } = this[internals];
    return probe.ping(options.timeoutMs ?? runtime.healthTimeoutMs, scope.lease);
  }

  /**
   * Whether Milvus says that it is healthy. Never throws.
   *
   * @param options `timeoutMs` defaults to `health.timeoutMs` (2000)
   */
  async isAvailable(options: { timeoutMs?: number } = {}): Promise<boolean> {
    const { probe, runtime, scope } = this[internals];
    try {
      const limitMs = options.timeoutMs ?? runtime.healthTimeoutMs;
      const { healthy } = await probe.health(limitMs, scope.lease);
      return healthy;
    } catch {
      return false;
    }
  }

  /**
   * Admits no more calls, lets those in flight end, cancels what is left at the limit and closes every connection.
   * Calling it again gives the same report. On the client of a lease it releases the lease, and nothing else; on one of
   * {@link with} it does nothing: that one has nothing of its own.
   *
   * @param options `timeoutMs` defaults to `shutdown.drainTimeoutMs` (10000)
   */
  async drain(options: { timeoutMs?: number } = {}): Promise<DrainReport> {
    const { root, runtime, scope, derived } = this[internals];
    // What belongs to its holder is the lease, not the client of all.
    scope.lease?.release();
    if (derived) return drainReport([]);
    const report = await runtime.drain(options.timeoutMs ?? runtime.options.shutdown.drainTimeoutMs);
    root.connectStatus = CONNECT_STATUS.SHUTDOWN;
    return drainReport([report]);
  }

  /** The SDK's name for {@link drain}. */
  override async closeConnection(): Promise<CONNECT_STATUS> {
    await this.drain();
    return this.connectStatus;
  }

  /** What logs show: no credentials, no private key. */
  [inspect.custom](): string {
    const { size, max } = this.pool.stats().connections;
    return `PooledMilvusClient "${this.name}" (${this.pool.state}, ${size} of ${max} connections)`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  /**
   * Sets the database of later calls that name none: of this client alone when it comes from {@link with}; of everybody
   * while the application initialises, as with the plain SDK. After that a client that many share has none to change.
   *
   * @throws MilvusConfigurationError on a shared client, from `onApplicationBootstrap` on
   */
  override async use(
    request?: Parameters<MilvusClient['use']>[0],
  ): Promise<Awaited<ReturnType<MilvusClient['use']>>> {
    this[internals].use(request?.db_name || optionDefaults.database);
    return { error_code: 'Success', reason: '' } as Awaited<ReturnType<MilvusClient['use']>>;
  }

  /** Opens `pool.minConnections` in the background. Never needed: the first call does it too. */
  override connect(): void {
    this[internals].runtime.endpoint.pool.start();
  }

  /** The SDK's global-cluster mode is off. */
  override async reconnectToPrimary(): Promise<boolean> {
    return false;
  }
}

/** A client with a scope of its own, which shares everything else. */
function derive(behind: ClientInternals): PooledMilvusClient {
  const client = Object.create(behind.root) as PooledMilvusClient;
  client[internals] = behind;
  return client;
}

// Not by assignment: most clients, and most that are derived from one, never need it.
Object.defineProperty(PooledMilvusClient.prototype, 'channelPool', {
  get(this: PooledMilvusClient) {
    const behind = this[internals];
    behind.channel ??= createSoloChannel(behind);
    return behind.channel;
  },
  set(this: PooledMilvusClient, value: unknown) {
    Object.defineProperty(this, 'channelPool', { value, writable: true, configurable: true });
  },
});

/** One of the SDK's methods as one call of the public method `name`. */
function callMethod(name: string, method: SdkMethod): SdkMethod {
  const mended = mend(name, method);
  const run = isIterator(name) ? openPages : runAsCall;
  const value = function (this: PooledMilvusClient, ...args: unknown[]): unknown {
    const behind = this[internals];
    // Within a call the SDK's methods call each other.
    if (isCallView(this)) return mended.apply(this, args);
    try {
      return run(behind, name, mended, args);
    } catch (error) {
      // A getter of the request.
      return Promise.reject(error);
    }
  };
  return value as SdkMethod;
}

const written = new Set(Object.getOwnPropertyNames(PooledMilvusClient.prototype));

// From the SDK's prototypes at load: a method that a later SDK adds is a call too.
for (const [name, method] of sdkMethods()) {
  if (written.has(name)) continue;
  const value = callMethod(name, method);
  Object.defineProperty(PooledMilvusClient.prototype, name, { value, writable: true, configurable: true });
}

let aliasesDefined = false;

/** The SDK's constructor gives some methods a second name: their calls go by the name that was called. */
function defineAliases(): void {
  if (aliasesDefined) return;
  aliasesDefined = true;
  const { prototype } = PooledMilvusClient;
  for (const [alias, method] of sdkAliases()) {
    // What is written by hand is no call.
    const value = written.has(method.name) ? prototype[method.name as never] : callMethod(alias, method);
    Object.defineProperty(prototype, alias, { value, writable: true, configurable: true });
  }
}

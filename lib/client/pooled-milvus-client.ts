import { inspect } from 'node:util';
import { CONNECT_STATUS, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { describeAddress } from '../options/address.js';
import { optionDefaults } from '../options/defaults.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { MilvusCallOptions, MilvusExecuteOptions } from './call-scope.js';
import { createSoloChannel, IDENTIFIER_KEY, isCallView, viewClass } from './call-view.js';
import { ClientInternals, internals, metadataOf } from './client-internals.js';
import { ClientPool } from './client-pool.js';
import { ClientRuntime } from './client-runtime.js';
import { type DrainReport, drainReport } from './drain-report.js';
import { execute } from './execution.js';
import { mend } from './mended-methods.js';
import type { MilvusPool } from './milvus-pool.js';
import { openPages } from './page-iterator.js';
import { milvusService } from './rpc-channel.js';
import { SchemaCache } from './schema-cache.js';
import { runAsCall } from './sdk-call.js';
import { isIterator, type SdkMethod, sdkMethods } from './sdk-methods.js';
import { type MilvusPing, ServerProbe } from './server-probe.js';
import { Startup } from './startup.js';

/**
 * A `MilvusClient` whose calls go over a pool of real HTTP/2 connections: the SDK's whole API, with a deadline for each
 * call, a bounded wait for a connection, and an end that waits for calls in flight.
 *
 * Building one touches no network. Inject it with {@link InjectMilvus}; the module starts and closes it.
 */
export class PooledMilvusClient extends MilvusClient {
  // No `#private` members and no fields with the SDK's names: calls run on `Object.create(client)`.

  /** The name it is registered under. */
  readonly name: string;
  /** The connections that carry its calls. */
  declare readonly pool: MilvusPool;
  /** @internal */
  declare readonly [internals]: ClientInternals;

  /** @internal Clients are made by the module. */
  constructor(options: ResolvedClientOptions) {
    super({
      address: describeAddress(options.endpoint.addresses[0]!),
      database: options.database,
      // Connections, retries and topology are ours; the heartbeat would open a connection of its own.
      __SKIP_CONNECT__: true,
      pool: { min: 0, max: 1 },
      maxRetries: 0,
      telemetry: { enabled: false },
      isGlobal: false,
    });
    const runtime = new ClientRuntime(options);
    const { methods } = milvusService(this);
    const schemas = new SchemaCache(this.collectionInfoCache as never);
    const probe = new ServerProbe(runtime, methods, () => this[internals].metadata());
    runtime.endpoint.watch({
      checkHealth: methods.get('CheckHealth')!,
      getVersion: methods.get('GetVersion')!,
      metadata: () => this[internals].metadata(),
    });
    const startup = new Startup(runtime, timeoutMs => introduce(this, timeoutMs));
    this.name = options.name;
    wrapAliases(this);
    assignInternals(
      this,
      new ClientInternals(
        { root: this, View: viewClass(this), runtime, schemas, probe, startup },
        { errors: options.errors, retry: options.retry },
      ),
    );
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
   * Calling it again gives the same report. On the client of a lease it releases the lease, and nothing else.
   *
   * @param options `timeoutMs` defaults to `shutdown.drainTimeoutMs` (10000)
   */
  async drain(options: { timeoutMs?: number } = {}): Promise<DrainReport> {
    const { root, runtime, scope } = this[internals];
    if (scope.lease) {
      // What belongs to its holder is the lease, not the client of all.
      scope.lease.release();
      return drainReport([]);
    }
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

function assignInternals<Client extends PooledMilvusClient>(client: Client, behind: ClientInternals): Client {
  const channelPool = createSoloChannel(client, behind);
  const pool = new ClientPool(behind, derive);
  return Object.assign(client, { [internals]: behind, channelPool, pool });
}

/** A client with a scope of its own, which shares everything else. */
function derive(behind: ClientInternals): PooledMilvusClient {
  return assignInternals(Object.create(behind.root) as PooledMilvusClient, behind);
}

/** What stands behind our methods with the names of the SDK's, for the aliases of them. */
const originals = new WeakMap<object, SdkMethod>();

/** One of the SDK's methods as one call of the public method `name`. */
function callMethod(name: string, method: SdkMethod): SdkMethod {
  const mended = mend(name, method);
  const run = isIterator(name) ? openPages : runAsCall;
  const value = function (this: PooledMilvusClient, ...args: unknown[]): unknown {
    const behind = this[internals];
    // In the SDK's constructor nothing of ours is there yet.
    if (!behind) return method.apply(this, args);
    // Within a call the SDK's methods call each other.
    if (isCallView(this)) return mended.apply(this, args);
    try {
      return run(behind, name, mended, args);
    } catch (error) {
      // A getter of the request.
      return Promise.reject(error);
    }
  };
  originals.set(value, method);
  return value as SdkMethod;
}

// From the SDK's prototypes at load: a method that a later SDK adds is a call too.
for (const [name, method] of sdkMethods()) {
  if (Object.hasOwn(PooledMilvusClient.prototype, name)) continue;
  const value = callMethod(name, method);
  Object.defineProperty(PooledMilvusClient.prototype, name, { value, writable: true, configurable: true });
}

const aliases = new Map<string, SdkMethod>();

/** The SDK's constructor gives some methods a second name: their calls go by the name that was called. */
function wrapAliases(client: PooledMilvusClient): void {
  for (const [alias, value] of Object.entries(client)) {
    const method = typeof value === 'function' && originals.get(value);
    if (!method) continue;
    const wrapped = aliases.get(alias) ?? callMethod(alias, method);
    aliases.set(alias, wrapped);
    Object.assign(client, { [alias]: wrapped });
  }
}

/** Introduces the client to Milvus and keeps what Milvus answers. */
async function introduce(client: PooledMilvusClient, timeoutMs: number): Promise<{ version?: string }> {
  const { identifier, server_info } = await client[internals].probe.connect(
    MilvusClient.sdkInfo.version,
    timeoutMs,
  );
  if (identifier) metadataOf(client).set(IDENTIFIER_KEY, identifier);
  if (server_info) client.serverInfo = server_info as typeof client.serverInfo;
  client.connectStatus = CONNECT_STATUS.CONNECTED;
  return { version: server_info?.build_tags };
}

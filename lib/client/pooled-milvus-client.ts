import { inspect } from 'node:util';
import { CONNECT_STATUS, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { describeAddress } from '../options/address.js';
import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { MilvusPool } from '../pool/milvus-pool.js';
import { callMetadata, createSoloChannel, IDENTIFIER_KEY, isCallView, runAsCall } from './call-view.js';
import { ClientRuntime } from './client-runtime.js';
import { type DrainReport, drainReport } from './drain-report.js';
import { milvusService } from './rpc-channel.js';
import { sdkCallMethods } from './sdk-methods.js';
import { type MilvusPing, ServerProbe } from './server-probe.js';
import { Startup } from './startup.js';

/** What the module and the health indicator use of a client. Behind a symbol: any string may be an SDK method one day. */
export const internals = Symbol('nestjs-milvus');

export interface ClientInternals {
  readonly runtime: ClientRuntime;
  readonly probe: ServerProbe;
  readonly startup: Startup;
}

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
  readonly pool: MilvusPool;
  /** @internal */
  readonly [internals]: ClientInternals;

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
    const probe = new ServerProbe(runtime, methods, () => callMetadata(this));
    const startup = new Startup(runtime, timeoutMs => introduce(this, timeoutMs));
    this.name = options.name;
    this.pool = new ClientPool(runtime);
    this[internals] = { runtime, probe, startup };
    this.channelPool = createSoloChannel(this, runtime) as unknown as typeof this.channelPool;
  }

  /**
   * Asks the server for its version.
   *
   * @param options `timeoutMs` defaults to `health.timeoutMs` (2000)
   * @throws MilvusConnectionError when there is no answer in time
   */
  async ping(options: { timeoutMs?: number } = {}): Promise<MilvusPing> {
    const { probe, runtime } = this[internals];
    return probe.ping(options.timeoutMs ?? runtime.options.health.timeoutMs);
  }

  /**
   * Whether Milvus says that it is healthy. Never throws.
   *
   * @param options `timeoutMs` defaults to `health.timeoutMs` (2000)
   */
  async isAvailable(options: { timeoutMs?: number } = {}): Promise<boolean> {
    const { probe, runtime } = this[internals];
    try {
      const { healthy } = await probe.health(options.timeoutMs ?? runtime.options.health.timeoutMs);
      return healthy;
    } catch {
      return false;
    }
  }

  /**
   * Admits no more calls, lets those in flight end, cancels what is left at the limit and closes every connection.
   * Calling it again gives the same report.
   *
   * @param options `timeoutMs` defaults to `shutdown.drainTimeoutMs` (10000)
   */
  async drain(options: { timeoutMs?: number } = {}): Promise<DrainReport> {
    const { runtime } = this[internals];
    const report = await runtime.drain(options.timeoutMs ?? runtime.options.shutdown.drainTimeoutMs);
    this.connectStatus = CONNECT_STATUS.SHUTDOWN;
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

  /** Opens `pool.minConnections` in the background. Never needed: the first call does it too. */
  override connect(): void {
    this[internals].runtime.endpoint.pool.start();
  }

  /** The SDK's global-cluster mode is off. */
  override async reconnectToPrimary(): Promise<boolean> {
    return false;
  }
}

// The SDK's methods, from its prototypes at load: one that a later SDK adds is a call too.
for (const [name, method] of sdkCallMethods()) {
  if (Object.hasOwn(PooledMilvusClient.prototype, name)) continue;
  const value = function (this: PooledMilvusClient, ...args: unknown[]): unknown {
    // Inside of a call the SDK's methods call each other; in the SDK's constructor nothing of ours is there yet.
    const parts = this[internals];
    if (!parts || isCallView(this)) return method.apply(this, args);
    return runAsCall(this, parts.runtime, name, method, args);
  };
  Object.defineProperty(PooledMilvusClient.prototype, name, { value, writable: true, configurable: true });
}

/** Introduces the client to Milvus and keeps what Milvus answers. */
async function introduce(client: PooledMilvusClient, timeoutMs: number): Promise<{ version?: string }> {
  const { identifier, server_info } = await client[internals].probe.connect(
    MilvusClient.sdkInfo.version,
    timeoutMs,
  );
  const sdk = client as unknown as { metadata: Map<string, string> };
  if (identifier) sdk.metadata.set(IDENTIFIER_KEY, identifier);
  if (server_info) client.serverInfo = server_info as typeof client.serverInfo;
  client.connectStatus = CONNECT_STATUS.CONNECTED;
  return { version: server_info?.build_tags };
}

class ClientPool implements MilvusPool {
  // Private to the language: printing a client prints its pool, and must not print what is behind.
  readonly #runtime: ClientRuntime;

  constructor(runtime: ClientRuntime) {
    this.#runtime = runtime;
  }

  get state() {
    return this.#runtime.state;
  }

  stats() {
    return this.#runtime.stats();
  }
}

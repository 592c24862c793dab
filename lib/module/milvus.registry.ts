import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { internals } from '../client/client-internals.js';
import type { DrainReport } from '../client/drain-report.js';
import type { PooledMilvusClient } from '../client/pooled-milvus-client.js';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import { MilvusAuthenticationError, MilvusInitializationError } from '../errors/connection-errors.js';
import type { MilvusClientOptions } from '../options/milvus-client-options.js';
import type { EndpointStats, PoolState } from '../telemetry/pool-telemetry.js';
import { ClientDirectory, type Registration } from './client-directory.js';
import { combined } from './combined-error.js';
import { DEFAULT_CLIENT } from './milvus.decorators.js';
import { notFoundError, requestScopedError } from './registry-errors.js';
import type { MilvusRegistryEvent } from './registry-events.js';

/** A snapshot of all clients and of what they share; frozen. */
export interface MilvusRegistryStats {
  readonly clients: Readonly<Record<string, { readonly state: PoolState; readonly calls: number }>>;
  /** Each with the names of the clients that use it. */
  readonly endpoints: readonly EndpointStats[];
}

/**
 * The clients of one application, by name: those that modules declare, and those that come and go at run time. All obey the
 * same rules: options are validated, clients of equal endpoint options share their connections, and the application's
 * end drains them.
 */
@Injectable()
export class MilvusRegistry {
  private readonly directory = new ClientDirectory();
  private adHoc = 0;
  private ending = false;

  /**
   * What happens from now on in all clients, and that they come and go. What happens in an endpoint that several clients share
   * comes once, in the name of the first of them. Completes when the registry is closed.
   */
  readonly events$: Observable<MilvusRegistryEvent> = this.directory.events.asObservable();

  /**
   * The very object that is injected.
   *
   * @throws MilvusClientNotFoundError that lists the known names
   * @throws MilvusClosedError when the registry is closed
   */
  get(name: string = DEFAULT_CLIENT): PooledMilvusClient {
    return this.find('get', name).client;
  }

  has(name: string = DEFAULT_CLIENT): boolean {
    return this.directory.find(name) !== undefined;
  }

  /** Names of all clients, in the order in which they were registered. */
  list(): string[] {
    return this.directory.names;
  }

  /** Works after the end, too. */
  stats(): MilvusRegistryStats {
    const each = [...this.clients].map(([name, client]) => {
      const { state, callCount: calls } = client[internals].runtime;
      return [name, Object.freeze({ state, calls })] as const;
    });
    return Object.freeze({
      clients: Object.freeze(Object.fromEntries(each)),
      endpoints: this.directory.endpoints.stats(),
    });
  }

  /**
   * Makes a client, and resolves when it has started as its `startup.mode` says. A failed one leaves the name free.
   *
   * @throws MilvusClientExistsError, also while another one of that name is being added
   * @throws MilvusConfigurationError that lists every wrong option
   * @throws MilvusInitializationError when Milvus does not accept it in time (mode `eager`)
   * @throws MilvusClosedError when the registry is closed
   */
  async add(name: string, options: MilvusClientOptions): Promise<PooledMilvusClient> {
    this.directory.refuseIfClosed('add', name);
    return this.directory.add(name, options);
  }

  /**
   * The client of that name; made first if there is none. Whoever asks while it is being made waits for the same one.
   *
   * @param options count only when it makes one; if there is one that was made with others, a line in the log says so, once
   * @throws MilvusClientNotFoundError when there is none and no options
   * @throws what {@link add} throws
   */
  async getOrCreate(name: string, options?: MilvusClientOptions): Promise<PooledMilvusClient> {
    const { directory } = this;
    directory.refuseIfClosed('getOrCreate', name);
    const arriving = directory.arriving(name);
    if (arriving) await arriving;
    const found = directory.find(name);
    if (found) {
      directory.warnIfOther(found, options);
      return found.client;
    }
    if (arriving) return arriving;
    if (options === undefined) throw notFoundError(name, this.list());
    return this.add(name, options);
  }

  /**
   * Drains a client. Its name is free at once; whoever holds it gets MilvusClosedError from now on. Awaited within an `execute()`
   * or lease of that very client it waits for itself, until the drain limit.
   *
   * @returns how it ended
   * @throws MilvusClientNotFoundError, MilvusClosedError
   */
  async remove(name: string): Promise<DrainReport> {
    return this.directory.remove(name, this.find('remove', name));
  }

  /**
   * A client for a function alone: started as its options say, closed when the function has ended, whatever came of it. It is in no
   * list; its connections are shared with clients of the same endpoint options.
   *
   * @throws what `fn` throws, or {@link add}
   */
  async use<Result>(
    options: MilvusClientOptions,
    fn: (client: PooledMilvusClient) => Promise<Result> | Result,
  ): Promise<Result> {
    const name = `use-${++this.adHoc}`;
    this.directory.refuseIfClosed('use', name);
    return this.directory.withUnnamed(name, options, fn);
  }

  /**
   * Asks the `credentials` function of one client, or of all that have one. Later requests carry what it gives; connections stay.
   *
   * @throws MilvusAuthenticationError when one gives none; those there were stay
   * @throws MilvusConfigurationError when the named client has no such function
   * @throws MilvusClientNotFoundError, MilvusClosedError
   */
  async refreshCredentials(name?: string): Promise<void> {
    this.directory.refuseIfClosed('refreshCredentials', name);
    const clients = name === undefined ? [...this.clients.values()] : [this.get(name)];
    if (name !== undefined && clients[0]![internals].runtime.identity.credentials.fixed) {
      throw new MilvusConfigurationError(
        `Milvus client "${name}": refreshCredentials() has nobody to ask: its credentials are given by value. Give \`credentials\`, a function`,
        { client: name },
      );
    }
    const asked = await Promise.allSettled(clients.map(each => each[internals].runtime.identity.refresh()));
    const failures = reasonsOf<MilvusAuthenticationError>(asked);
    if (failures.length > 0) {
      throw combined(failures, 'Milvus clients got no credentials', MilvusAuthenticationError);
    }
  }

  /**
   * Drains and closes every client, in parallel. Never rejects; calling it again changes nothing and gives the same report.
   *
   * @param options `drainTimeoutMs` instead of each client's own `shutdown.drainTimeoutMs`
   */
  close(options: { drainTimeoutMs?: number } = {}): Promise<DrainReport> {
    this.ending = true;
    return this.directory.close(options.drainTimeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** What logs show: no credentials, no private key. */
  [inspect.custom](): string {
    return `MilvusRegistry (${this.list().join(', ') || 'no clients'})`;
  }

  // What the module and the health indicator need.

  /** Whether the application is shutting down: calls still work, but it should get no new work. @internal */
  get shuttingDown(): boolean {
    return this.ending;
  }

  /** By name. @internal */
  get clients(): ReadonlyMap<string, PooledMilvusClient> {
    return this.directory.clients;
  }

  /**
   * Makes a client that a module declares. Touches no network.
   *
   * @internal
   * @param module that declares it; its text names it in messages
   * @throws MilvusClientExistsError, MilvusConfigurationError
   */
  register(name: string, options: unknown, module: symbol): PooledMilvusClient {
    this.directory.refuseIfClosed('register', name);
    if (this.directory.find(name)?.module === module) throw requestScopedError(name, module.description!);
    return this.directory.declare(name, options, module);
  }

  /**
   * Starts every client that modules declare, in parallel, as its `startup.mode` says.
   *
   * @internal
   * @throws MilvusInitializationError for all that failed, after closing every one
   */
  async start(): Promise<void> {
    const clients = [...this.clients.values()];
    const started = await Promise.allSettled(clients.map(each => each[internals].startup.run()));
    // One that somebody ended meanwhile is nobody's loss.
    const failed = started.filter((_, index) => !clients[index]![internals].runtime.ended);
    const failures = reasonsOf<MilvusInitializationError>(this.directory.closed ? started : failed);
    if (failures.length === 0) return this.announceEndpoints();
    await this.close({ drainTimeoutMs: 0 });
    throw combined(failures, 'Milvus clients could not start', MilvusInitializationError);
  }

  /** The application has initialised: from now on many callers share the clients. @internal */
  announceServing(): void {
    this.directory.serving = true;
    for (const client of this.clients.values()) client[internals].runtime.serving = true;
  }

  /** Turns health down while calls still work. @internal */
  announceEnd(): void {
    this.ending = true;
  }

  private announceEndpoints(): void {
    const { log, endpoints } = this.directory;
    log.endpoints(endpoints.stats());
  }

  private find(method: string, name: string): Registration {
    const { directory } = this;
    directory.refuseIfClosed(method, name);
    const found = directory.find(name);
    if (!found) throw notFoundError(name, this.list(), directory.arriving(name) !== undefined);
    return found;
  }
}

function reasonsOf<Failure>(results: readonly PromiseSettledResult<unknown>[]): Failure[] {
  return results.flatMap(result => (result.status === 'rejected' ? [result.reason as Failure] : []));
}

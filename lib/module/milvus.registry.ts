import { inspect } from 'node:util';
import { Injectable } from '@nestjs/common';
import { type Observable, Subject } from 'rxjs';
import { internals } from '../client/client-internals.js';
import { type DrainReport, drainReport } from '../client/drain-report.js';
import { PooledMilvusClient } from '../client/pooled-milvus-client.js';
import { SharedEndpoints } from '../endpoint/shared-endpoints.js';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import { MilvusAuthenticationError, MilvusInitializationError } from '../errors/connection-errors.js';
import { fingerprint } from '../options/fingerprint.js';
import type { MilvusClientOptions } from '../options/milvus-client-options.js';
import { resolveClientOptions } from '../options/resolve-options.js';
import type { PoolEvent } from '../telemetry/pool-events.js';
import type { EndpointStats, PoolState } from '../telemetry/pool-telemetry.js';
import { RegistryLog } from '../telemetry/registry-log.js';
import { combined } from './combined-error.js';
import { DEFAULT_CLIENT } from './milvus.decorators.js';
import {
  checkName,
  closedError,
  describeOrigin,
  existsError,
  notFoundError,
  requestScopedError,
} from './registry-errors.js';
import type { MilvusRegistryEvent } from './registry-events.js';

/** A snapshot of all clients and of what they share; frozen. */
export interface MilvusRegistryStats {
  readonly clients: Readonly<Record<string, { readonly state: PoolState; readonly calls: number }>>;
  /** Each with the names of the clients that use it. */
  readonly endpoints: readonly EndpointStats[];
}

/** How a client came to be here. */
interface Registration {
  readonly client: PooledMilvusClient;
  /** `registry.add()`, or the module that declares it. */
  readonly by: string;
  /** The module that declares it, so that it is injected somewhere. */
  readonly module?: symbol;
  /** As they were given. A function, so that no log that prints this object prints a password. */
  readonly options: () => unknown;
  /** Of these options, once somebody gave others. */
  fingerprint?: string;
  /** That others were given later, which do not count. */
  warned?: boolean;
}

/** A client that is being added. */
interface Arrival extends Registration {
  readonly started: Promise<PooledMilvusClient>;
}

/**
 * The clients of one application, by name: those that modules declare, and those that come and go at run time. All obey the
 * same rules: options are validated, clients of equal endpoint options share their connections, and the application's
 * end drains them.
 */
@Injectable()
export class MilvusRegistry {
  private readonly entries = new Map<string, Registration>();
  private readonly arrivals = new Map<string, Arrival>();
  /** Clients without a name here: those of `use()`, and those removed that still drain. */
  private readonly unnamed = new Set<PooledMilvusClient>();
  private readonly events = new Subject<MilvusRegistryEvent>();
  private readonly endpoints = new SharedEndpoints(this.events as Subject<PoolEvent>);
  private readonly log = new RegistryLog();
  private adHoc = 0;
  private serving = false;
  private ending = false;
  private closing?: Promise<DrainReport>;

  /**
   * What happens from now on in all clients, and that they come and go. What happens in an endpoint that several clients share
   * comes once, in the name of the first of them. Completes when the registry is closed.
   */
  readonly events$: Observable<MilvusRegistryEvent> = this.events.asObservable();

  /**
   * The very object that is injected.
   *
   * @throws MilvusClientNotFoundError that lists the known names
   * @throws MilvusClosedError when the registry is closed
   */
  get(name: string = DEFAULT_CLIENT): PooledMilvusClient {
    this.refuseIfClosed('get', name);
    const entry = this.entries.get(name);
    if (!entry) throw notFoundError(name, this.list(), this.arrivals.has(name));
    return entry.client;
  }

  has(name: string = DEFAULT_CLIENT): boolean {
    return this.entries.has(name);
  }

  /** Names of all clients, in the order in which they were registered. */
  list(): string[] {
    return [...this.entries.keys()];
  }

  /** Works after the end, too. */
  stats(): MilvusRegistryStats {
    const each = [...this.entries].map(([name, { client }]) => {
      const { state, callCount: calls } = client[internals].runtime;
      return [name, Object.freeze({ state, calls })] as const;
    });
    return Object.freeze({
      clients: Object.freeze(Object.fromEntries(each)),
      endpoints: this.endpoints.stats(),
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
    this.refuseIfClosed('add', name);
    checkName(name);
    this.refuseIfTaken(name, 'registry.add()', options);
    const client = this.make(name, options);
    const registration = { client, by: 'registry.add()', options: () => options };
    const started = this.arrive(name, registration);
    this.arrivals.set(name, { ...registration, started });
    return started;
  }

  /**
   * The client of that name; made first if there is none. Whoever asks while it is being made waits for the same one.
   *
   * @param options count only when it makes one; if there is one that was made with others, a line in the log says so, once
   * @throws MilvusClientNotFoundError when there is none and no options
   * @throws what {@link add} throws
   */
  async getOrCreate(name: string, options?: MilvusClientOptions): Promise<PooledMilvusClient> {
    this.refuseIfClosed('getOrCreate', name);
    const arrival = this.arrivals.get(name);
    if (arrival) await arrival.started;
    const entry = this.entries.get(name);
    if (entry) {
      this.warnIfOther(entry, options);
      return entry.client;
    }
    if (arrival) return arrival.started;
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
    this.refuseIfClosed('remove', name);
    const entry = this.entries.get(name);
    if (!entry) throw notFoundError(name, this.list(), this.arrivals.has(name));
    this.forget(name, entry);
    return this.end(entry.client);
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
    this.refuseIfClosed('use', name);
    const client = this.make(name, options);
    this.unnamed.add(client);
    client[internals].runtime.log.quiet = true;
    try {
      await this.startUp(client, 'use');
      return await fn(client);
    } finally {
      await this.end(client);
    }
  }

  /**
   * Asks the `credentials` function of one client, or of all that have one. Later requests carry what it gives; connections stay.
   *
   * @throws MilvusAuthenticationError when one gives none; those there were stay
   * @throws MilvusConfigurationError when the named client has no such function
   * @throws MilvusClientNotFoundError, MilvusClosedError
   */
  async refreshCredentials(name?: string): Promise<void> {
    this.refuseIfClosed('refreshCredentials', name);
    const clients = name === undefined ? [...this.clients.values()] : [this.get(name)];
    if (name !== undefined && clients[0]![internals].runtime.credentials.fixed) {
      throw new MilvusConfigurationError(
        `Milvus client "${name}": refreshCredentials() has nobody to ask: its credentials are given by value. Give \`credentials\`, a function`,
        { client: name },
      );
    }
    const asked = await Promise.allSettled(clients.map(each => each[internals].runtime.refreshCredentials()));
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
    this.closing ??= Promise.resolve().then(() => this.closeAll(options.drainTimeoutMs));
    return this.closing;
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
    return new Map([...this.entries].map(([name, { client }]) => [name, client]));
  }

  /**
   * Makes a client that a module declares. Touches no network.
   *
   * @internal
   * @param module that declares it; its text names it in messages
   * @throws MilvusClientExistsError, MilvusConfigurationError
   */
  register(name: string, options: unknown, module: symbol): PooledMilvusClient {
    this.refuseIfClosed('register', name);
    checkName(name);
    const by = module.description!;
    if (this.entries.get(name)?.module === module) throw requestScopedError(name, by);
    this.refuseIfTaken(name, by, options);
    const client = this.make(name, options);
    this.admit(name, { client, by, module, options: () => options });
    return client;
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
    const failures = reasonsOf<MilvusInitializationError>(this.closing ? started : failed);
    if (failures.length === 0) return this.log.endpoints(this.endpoints.stats());
    await this.close({ drainTimeoutMs: 0 });
    throw combined(failures, 'Milvus clients could not start', MilvusInitializationError);
  }

  /** The application has initialised: from now on many callers share the clients. @internal */
  announceServing(): void {
    this.serving = true;
    for (const client of this.clients.values()) client[internals].runtime.serving = true;
  }

  /** Turns health down while calls still work. @internal */
  announceEnd(): void {
    this.ending = true;
  }

  private make(name: string, options: unknown): PooledMilvusClient {
    return new PooledMilvusClient(resolveClientOptions(name, options), this.endpoints);
  }

  private async arrive(name: string, registration: Registration): Promise<PooledMilvusClient> {
    const { client } = registration;
    try {
      // Not before whoever adds it has noted that it is on its way.
      await Promise.resolve();
      await this.startUp(client, 'add');
    } catch (error) {
      await client.drain({ timeoutMs: 0 });
      throw error;
    } finally {
      this.arrivals.delete(name);
    }
    this.admit(name, registration);
    return client;
  }

  /** @throws MilvusClosedError when the registry was closed meanwhile */
  private async startUp(client: PooledMilvusClient, method: string): Promise<void> {
    try {
      await client[internals].startup.run();
    } finally {
      this.refuseIfClosed(method, client.name);
    }
  }

  private admit(name: string, registration: Registration): void {
    const { client } = registration;
    const { runtime } = client[internals];
    runtime.serving = this.serving;
    this.entries.set(name, registration);
    this.tell('client-added', name);
    // One that is injected stays, closed as it is, and health says so.
    if (registration.module) return;
    // Whoever ends it, by drain() or `await using`: nobody is to get it from here any more.
    runtime.onEnding = () => {
      if (this.closing || this.entries.get(name) !== registration) return;
      this.forget(name, registration);
      void this.end(client);
    };
  }

  private forget(name: string, registration: Registration): void {
    if (registration.module) this.log.declaredRemoved(name, originOf(registration));
    this.entries.delete(name);
    this.tell('client-removed', name);
  }

  private tell(type: 'client-added' | 'client-removed', client: string): void {
    this.events.next(Object.freeze({ type, client }));
  }

  /** Drains it with its own limit. */
  private async end(client: PooledMilvusClient): Promise<DrainReport> {
    this.unnamed.add(client);
    const report = await client.drain();
    this.unnamed.delete(client);
    return report;
  }

  private async closeAll(timeoutMs: number | undefined): Promise<DrainReport> {
    const arriving = [...this.arrivals.values()].map(({ client }) => client);
    const clients = [...this.clients.values(), ...arriving, ...this.unnamed];
    for (const each of clients) {
      const { runtime } = each[internals];
      runtime.hurryDrain(timeoutMs ?? runtime.options.shutdown.drainTimeoutMs);
    }
    const reports = await Promise.all(clients.map(each => each.drain({ timeoutMs })));
    this.events.complete();
    return Object.freeze(drainReport(reports.flatMap(report => report.clients)));
  }

  private refuseIfClosed(method: string, name: string | undefined): void {
    if (this.closing) throw closedError(method, name);
  }

  private refuseIfTaken(name: string, by: string, options: unknown): void {
    const earlier = this.entries.get(name) ?? this.arrivals.get(name);
    if (earlier) throw existsError(name, originOf(earlier), describeOrigin(by, options));
  }

  private warnIfOther(entry: Registration, options: MilvusClientOptions | undefined): void {
    if (options === undefined || entry.warned) return;
    entry.fingerprint ??= fingerprint(entry.options());
    if (fingerprint(options) === entry.fingerprint) return;
    entry.warned = true;
    this.log.otherOptions(entry.client.name);
  }
}

function originOf({ by, options }: Registration): string {
  return describeOrigin(by, options());
}

function reasonsOf<Failure>(results: readonly PromiseSettledResult<unknown>[]): Failure[] {
  return results.flatMap(result => (result.status === 'rejected' ? [result.reason as Failure] : []));
}

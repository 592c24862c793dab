import { Subject } from 'rxjs';
import { internals } from '../client/client-internals.js';
import { type DrainReport, drainReport } from '../client/drain-report.js';
import { PooledMilvusClient } from '../client/pooled-milvus-client.js';
import { SharedEndpoints } from '../endpoint/shared-endpoints.js';
import { fingerprint } from '../options/fingerprint.js';
import { resolveClientOptions } from '../options/resolve-options.js';
import type { PoolEvent } from '../telemetry/pool-events.js';
import { RegistryLog } from '../telemetry/registry-log.js';
import { checkName, closedError, describeOrigin, existsError } from './registry-errors.js';
import type { MilvusRegistryEvent } from './registry-events.js';

/** How a client came to be here. */
export interface Registration {
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

/** The clients of one application: which there are, which are on their way, and which have gone and still drain. */
export class ClientDirectory {
  readonly events = new Subject<MilvusRegistryEvent>();
  readonly endpoints = new SharedEndpoints(this.events as Subject<PoolEvent>);
  readonly log = new RegistryLog();
  /** Whether the application has initialised, so that many callers share them. */
  serving = false;
  private readonly entries = new Map<string, Registration>();
  private readonly arrivals = new Map<string, Arrival>();
  /** Clients without a name here: those of `use()`, and those removed that still drain. */
  private readonly unnamed = new Set<PooledMilvusClient>();
  private closing?: Promise<DrainReport>;

  get names(): string[] {
    return [...this.entries.keys()];
  }

  get clients(): ReadonlyMap<string, PooledMilvusClient> {
    return new Map([...this.entries].map(([name, { client }]) => [name, client]));
  }

  find(name: string): Registration | undefined {
    return this.entries.get(name);
  }

  arriving(name: string): Promise<PooledMilvusClient> | undefined {
    return this.arrivals.get(name)?.started;
  }

  /** @throws MilvusClosedError */
  refuseIfClosed(method: string, name?: string): void {
    if (this.closing) throw closedError(method, name);
  }

  get closed(): boolean {
    return this.closing !== undefined;
  }

  /**
   * A client that a module declares. Touches no network.
   *
   * @throws MilvusClientExistsError, MilvusConfigurationError
   */
  declare(name: string, options: unknown, module: symbol): PooledMilvusClient {
    const by = module.description!;
    const client = this.makeNamed(name, options, by);
    this.admit(name, { client, by, module, options: () => options });
    return client;
  }

  /**
   * A client that comes at run time; resolves when it has started.
   *
   * @throws MilvusClientExistsError, MilvusConfigurationError, MilvusInitializationError, MilvusClosedError
   */
  add(name: string, options: unknown): Promise<PooledMilvusClient> {
    const by = 'registry.add()';
    const registration = { client: this.makeNamed(name, options, by), by, options: () => options };
    const started = this.arrive(name, registration);
    this.arrivals.set(name, { ...registration, started });
    return started;
  }

  /** A client without a name, for as long as `work` takes. */
  async withUnnamed<Result>(
    name: string,
    options: unknown,
    work: (client: PooledMilvusClient) => Promise<Result> | Result,
  ): Promise<Result> {
    const client = this.make(name, options);
    this.unnamed.add(client);
    client[internals].runtime.log.quiet = true;
    try {
      await this.startUp(client, 'use');
      return await work(client);
    } finally {
      await this.end(client);
    }
  }

  /** Its name is free at once. Resolves when it has drained, within its own limit. */
  remove(name: string, registration: Registration): Promise<DrainReport> {
    this.forget(name, registration);
    return this.end(registration.client);
  }

  /** Says so, once for each client, if these options are not those that it was made with. */
  warnIfOther(registration: Registration, options: unknown): void {
    if (options === undefined || registration.warned) return;
    registration.fingerprint ??= fingerprint(registration.options());
    if (fingerprint(options) === registration.fingerprint) return;
    registration.warned = true;
    this.log.otherOptions(registration.client.name);
  }

  /**
   * Drains every client, whatever it is doing. Again: the same.
   *
   * @param timeoutMs instead of each client's own limit
   */
  close(timeoutMs: number | undefined): Promise<DrainReport> {
    // It is there before anybody is told: whoever then adds one is refused.
    this.closing ??= Promise.resolve().then(() => this.closeAll(timeoutMs));
    return this.closing;
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

  private makeNamed(name: string, options: unknown, by: string): PooledMilvusClient {
    checkName(name);
    const earlier = this.entries.get(name) ?? this.arrivals.get(name);
    if (earlier) throw existsError(name, originOf(earlier), describeOrigin(by, options));
    return this.make(name, options);
  }

  private make(name: string, options: unknown): PooledMilvusClient {
    return new PooledMilvusClient(resolveClientOptions(name, options), this.endpoints);
  }

  private async arrive(name: string, registration: Registration): Promise<PooledMilvusClient> {
    const { client } = registration;
    try {
      // Not before it is noted that it is on its way.
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

  /** @throws MilvusClosedError when all was closed meanwhile */
  private async startUp(client: PooledMilvusClient, method: string): Promise<void> {
    try {
      await client[internals].startup.run();
    } finally {
      this.refuseIfClosed(method, client.name);
    }
  }

  private admit(name: string, registration: Registration): void {
    const { client, module } = registration;
    const { runtime } = client[internals];
    runtime.serving = this.serving;
    this.entries.set(name, registration);
    this.tell('client-added', name);
    // One that is injected stays, closed as it is, and health says so.
    if (module) return;
    // Whoever ends it, by drain() or `await using`: nobody is to get it from here any more.
    runtime.onEnding = () => {
      if (!this.closing && this.entries.get(name) === registration) void this.remove(name, registration);
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

  private async end(client: PooledMilvusClient): Promise<DrainReport> {
    this.unnamed.add(client);
    const report = await client.drain();
    this.unnamed.delete(client);
    return report;
  }
}

function originOf({ by, options }: Registration): string {
  return describeOrigin(by, options());
}

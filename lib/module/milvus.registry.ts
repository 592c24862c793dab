import { Injectable } from '@nestjs/common';
import { internals } from '../client/client-internals.js';
import { type DrainReport, drainReport } from '../client/drain-report.js';
import { PooledMilvusClient } from '../client/pooled-milvus-client.js';
import { MilvusClientExistsError, MilvusClientNotFoundError } from '../errors/configuration-errors.js';
import { MilvusInitializationError } from '../errors/connection-errors.js';
import { redactAddress } from '../options/address.js';
import { resolveClientOptions } from '../options/resolve-options.js';
import { DEFAULT_CLIENT } from './milvus.decorators.js';

/** The clients of one application, by name. */
@Injectable()
export class MilvusRegistry {
  private readonly clients = new Map<string, PooledMilvusClient>();
  private readonly origins = new Map<string, string>();
  private ending = false;

  /**
   * @throws MilvusClientNotFoundError that lists the known names
   */
  get(name: string = DEFAULT_CLIENT): PooledMilvusClient {
    const client = this.clients.get(name);
    if (client) return client;
    const known =
      this.list()
        .map(each => `"${each}"`)
        .join(', ') || 'none';
    throw new MilvusClientNotFoundError(
      `Milvus client "${name}" not found. Registered: ${known}. Register it with MilvusModule.forRoot or forRootAsync`,
      { client: name },
    );
  }

  has(name: string = DEFAULT_CLIENT): boolean {
    return this.clients.has(name);
  }

  /** Names of all clients, in the order in which they were registered. */
  list(): string[] {
    return [...this.clients.keys()];
  }

  /** Whether the application is shutting down: calls still work, but it should get no new work. */
  get shuttingDown(): boolean {
    return this.ending;
  }

  /**
   * Makes a client that a module declares. Touches no network.
   *
   * @internal
   * @param origin where it is declared, for the message that names a name's second use
   * @throws MilvusClientExistsError, MilvusConfigurationError
   */
  register(name: string, options: unknown, origin: string): PooledMilvusClient {
    const here = `${origin}${describeAddresses(options)}`;
    const earlier = this.origins.get(name);
    if (earlier !== undefined) {
      throw new MilvusClientExistsError(
        `Milvus client "${name}" already exists: it is registered by ${earlier} and again by ${here}. Give each client a name of its own`,
        { client: name },
      );
    }
    const client = new PooledMilvusClient(resolveClientOptions(name, options));
    this.clients.set(name, client);
    this.origins.set(name, here);
    return client;
  }

  /**
   * Starts every client, in parallel, as its `startup.mode` says.
   *
   * @internal
   * @throws MilvusInitializationError for all that failed, after closing every one
   */
  async start(): Promise<void> {
    const startups = await Promise.allSettled(
      [...this.clients.values()].map(each => each[internals].startup.run()),
    );
    const failures = startups.flatMap(startup =>
      startup.status === 'rejected' ? [startup.reason as Error] : [],
    );
    if (failures.length === 0) return;
    await this.close({ drainTimeoutMs: 0 });
    throw failures.length === 1 ? failures[0] : combine(failures as MilvusInitializationError[]);
  }

  /** The application has initialised: from now on many callers share the clients. @internal */
  announceServing(): void {
    for (const client of this.clients.values()) client[internals].runtime.serving = true;
  }

  /** Turns health down while calls still work. @internal */
  announceEnd(): void {
    this.ending = true;
  }

  /**
   * Drains and closes every client, in parallel. Never rejects; calling it again gives the same report.
   *
   * @param options `drainTimeoutMs` instead of each client's own `shutdown.drainTimeoutMs`
   */
  async close(options: { drainTimeoutMs?: number } = {}): Promise<DrainReport> {
    this.ending = true;
    const timeoutMs = options.drainTimeoutMs;
    const reports = await Promise.all([...this.clients.values()].map(each => each.drain({ timeoutMs })));
    return drainReport(reports.flatMap(({ clients }) => clients));
  }
}

/** Tells two registrations of one name apart, when nothing else does. */
function describeAddresses(options: unknown): string {
  const addresses = [(options as { address?: unknown } | undefined)?.address].flat();
  const texts = addresses.filter(each => typeof each === 'string').map(redactAddress);
  return texts.length > 0 ? ` with address ${texts.join(', ')}` : '';
}

function combine(failures: MilvusInitializationError[]): MilvusInitializationError {
  const lines = failures.map(({ message }) => `- ${message}`);
  return new MilvusInitializationError(
    `${failures.length} Milvus clients could not start:\n${lines.join('\n')}`,
    {
      client: failures.map(({ client }) => client).join(', '),
      cause: new AggregateError(failures),
    },
  );
}

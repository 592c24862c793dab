import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { internals } from '../client/client-internals.js';
import { PooledMilvusClient } from '../client/pooled-milvus-client.js';
import {
  MilvusDeadlineExceededError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import { DEFAULT_CLIENT } from '../module/milvus.decorators.js';
import { MilvusRegistry } from '../module/milvus.registry.js';
import type { PoolState } from '../telemetry/pool-telemetry.js';

/** What is reported of one client. */
export interface MilvusClientHealth {
  state: PoolState;
  /** From the check to Milvus's answer, in ms. */
  latencyMs?: number;
  /** Open connections. */
  connections: number;
  /** RPCs on the wire. */
  inFlight: number;
  /** Why it is down; holds no secret. */
  reason?: string;
}

export interface MilvusPingCheckOptions {
  /**
   * The client, or its name.
   * @defaultValue 'default'
   */
  client?: string | PooledMilvusClient;
  /**
   * Time limit of the check, in ms.
   * @defaultValue the client's `health.timeoutMs` (2000)
   */
  timeoutMs?: number;
}

/** Of Milvus, or that there is none. */
interface Answer {
  latencyMs?: number;
  reason?: string;
  /** In the name of which client. */
  askedBy?: string;
  /** It says nothing of the server, and nothing to other clients of it. */
  own?: boolean;
}

type NamedHealth = MilvusClientHealth & { name: string; status: 'up' | 'down' };

/** Most clients of one endpoint that Milvus did not know the last time and that are asked for at once. */
const MOST_ALONE = 8;

/** Most clients that ask for all, should Milvus not know them. */
const MOST_SPOKESMEN = 3;

const STILL_REFUSED: Answer = { reason: 'Milvus refused its credentials the last time it called' };

/**
 * Health indicator for Terminus 11 and 12. Milvus itself is asked (CheckHealth) and has to say that it is healthy.
 * Down, and never an exception, on every failure; down as soon as the application begins to shut down.
 *
 * @example
 * this.health.check([() => this.milvus.pingCheck('milvus', { client: 'search', timeoutMs: 1000 })]);
 */
@Injectable()
export class MilvusHealthIndicator {
  // Made here, so that an application need not import TerminusModule where it does not serve health itself.
  private readonly results = new HealthIndicatorService();

  constructor(private readonly registry: MilvusRegistry) {}

  /** Checks one client. */
  async pingCheck<const Key extends string>(
    key: Key,
    options: MilvusPingCheckOptions = {},
  ): Promise<HealthIndicatorResult<Key>> {
    const check = this.results.check(key);
    try {
      const { client = DEFAULT_CLIENT, timeoutMs } = options;
      const asked = typeof client === 'string' ? this.registry.get(client) : client;
      const health = this.inspect(asked, await this.ask(asked, timeoutMs));
      return health.reason === undefined ? check.up({ ...health }) : check.down({ ...health });
    } catch (error) {
      return check.down({ reason: (error as Error).message });
    }
  }

  /**
   * Checks all clients of the application, each by its name; down when one of them is. Each server is asked once for all clients that
   * share its endpoint; one that Milvus refused the last time it called is down until Milvus knows it again.
   */
  async isHealthy<const Key extends string>(key: Key): Promise<HealthIndicatorResult<Key>> {
    const check = this.results.check(key);
    const endpoints = new Map<object, PooledMilvusClient[]>();
    for (const client of this.registry.clients.values()) {
      const { endpoint } = client[internals].runtime;
      const clients = endpoints.get(endpoint);
      if (clients) clients.push(client);
      else endpoints.set(endpoint, [client]);
    }
    const reports = await Promise.all([...endpoints.values()].map(each => this.reportAll(each)));
    const clients = reports.flat();
    const data = { clients: Object.fromEntries(clients.map(({ name, ...health }) => [name, health])) };
    return clients.every(({ status }) => status === 'up') ? check.up(data) : check.down(data);
  }

  /**
   * Of the clients of one endpoint. A thousand of them do not ask their server a thousand times how it is: one asks for all. Only
   * whom Milvus did not know the last time asks for himself, a few at a time.
   */
  private async reportAll(clients: readonly PooledMilvusClient[]): Promise<NamedHealth[]> {
    const alone = clients.filter(isRefused);
    const asking = new Set(alone.length > MOST_ALONE ? shuffled(alone).slice(0, MOST_ALONE) : alone);
    const own = new Map<PooledMilvusClient, Answer>();
    const shared = this.askForAll(
      clients.filter(client => !isRefused(client)),
      own,
    );
    return Promise.all(
      clients.map(async client => {
        const answer = asking.has(client) ? await this.ask(client) : answerFor(client, await shared);
        const refused = isRefused(client) && !asking.has(client) ? STILL_REFUSED : undefined;
        const health = this.inspect(client, own.get(client) ?? refused ?? answer);
        return { name: client.name, status: health.reason === undefined ? 'up' : 'down', ...health };
      }),
    );
  }

  /**
   * Whoever meets what is his own trouble, as with his credentials or privileges, is the wrong one to ask for others.
   *
   * @param own gets what such a one was told
   */
  private async askForAll(
    clients: readonly PooledMilvusClient[],
    own: Map<PooledMilvusClient, Answer>,
  ): Promise<Answer> {
    const known = clients.filter(client => client[internals].runtime.identity.credentials.known);
    for (const client of [...new Set([...known, ...clients])].slice(0, MOST_SPOKESMEN)) {
      const answer = await this.ask(client);
      if (!answer.own) return { ...answer, askedBy: client.name };
      own.set(client, answer);
    }
    // Milvus answers, if only to refuse.
    return {};
  }

  private inspect(client: PooledMilvusClient, { latencyMs, reason }: Answer): MilvusClientHealth {
    const { connections, inFlight } = client.pool.stats();
    return {
      state: client.pool.state,
      ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs * 10) / 10 }),
      connections: connections.size,
      inFlight,
      ...(reason === undefined ? {} : { reason }),
    };
  }

  private async ask(client: PooledMilvusClient, timeoutMs?: number): Promise<Answer> {
    if (this.registry.shuttingDown) return { reason: 'the application is shutting down' };
    const { probe, runtime } = client[internals];
    try {
      return await probe.health(timeoutMs ?? runtime.healthTimeoutMs);
    } catch (error) {
      return { reason: (error as Error).message, own: !isOfEndpoint(error as Error, runtime.identity) };
    }
  }
}

/** Whether all clients of the endpoint meet the same. */
function isOfEndpoint(error: Error, { credentials }: { credentials: { known: boolean } }): boolean {
  if (error instanceof MilvusUnavailableError || error instanceof MilvusPoolExhaustedError) return true;
  // It may have waited for its credentials.
  return error instanceof MilvusDeadlineExceededError && credentials.known;
}

function isRefused(client: PooledMilvusClient): boolean {
  const { identity, ended } = client[internals].runtime;
  return identity.refused || ended;
}

/** What another one was told, in this one's name. */
function answerFor({ name }: PooledMilvusClient, { askedBy = name, reason, ...rest }: Answer): Answer {
  return reason === undefined ? rest : { ...rest, reason: reason.replace(`"${askedBy}"`, `"${name}"`) };
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

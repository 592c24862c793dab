import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { internals } from '../client/client-internals.js';
import { PooledMilvusClient } from '../client/pooled-milvus-client.js';
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
      const health = await this.inspect(
        typeof client === 'string' ? this.registry.get(client) : client,
        timeoutMs,
      );
      return health.reason === undefined ? check.up({ ...health }) : check.down({ ...health });
    } catch (error) {
      return check.down({ reason: (error as Error).message });
    }
  }

  /** Checks all clients of the application, each by its name; down when one of them is. */
  async isHealthy<const Key extends string>(key: Key): Promise<HealthIndicatorResult<Key>> {
    const check = this.results.check(key);
    const clients = await Promise.all(this.registry.list().map(name => this.report(name)));
    const data = { clients: Object.fromEntries(clients.map(({ name, ...health }) => [name, health])) };
    return clients.every(({ status }) => status === 'up') ? check.up(data) : check.down(data);
  }

  private async report(name: string): Promise<MilvusClientHealth & { name: string; status: 'up' | 'down' }> {
    const health = await this.inspect(this.registry.get(name));
    return { name, status: health.reason === undefined ? 'up' : 'down', ...health };
  }

  private async inspect(client: PooledMilvusClient, timeoutMs?: number): Promise<MilvusClientHealth> {
    const { latencyMs, reason } = await this.ask(client, timeoutMs);
    const { connections, inFlight } = client.pool.stats();
    return {
      state: client.pool.state,
      ...(latencyMs === undefined ? {} : { latencyMs: Math.round(latencyMs * 10) / 10 }),
      connections: connections.size,
      inFlight,
      ...(reason === undefined ? {} : { reason }),
    };
  }

  private async ask(
    client: PooledMilvusClient,
    timeoutMs?: number,
  ): Promise<{ latencyMs?: number; reason?: string }> {
    if (this.registry.shuttingDown) return { reason: 'the application is shutting down' };
    const { probe, runtime } = client[internals];
    try {
      return await probe.health(timeoutMs ?? runtime.healthTimeoutMs);
    } catch (error) {
      return { reason: (error as Error).message };
    }
  }
}

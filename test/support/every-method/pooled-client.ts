import type { PooledMilvusClient } from '../../../lib/index.js';
import { pooledClient } from '../pooled-client.js';
import { outcomeOf, type Run } from './runs.js';
import type { Scene } from './scenes.js';

export type ErrorMode = 'throw' | 'status';

/** Our client, made for very many calls at once. */
export class PooledRuns {
  private readonly client: PooledMilvusClient;

  constructor(
    address: string,
    readonly mode: ErrorMode,
  ) {
    // One connection, so that the RPCs of a method arrive in the order in which the SDK makes them.
    const pool = { maxConnections: 1, maxStreamsPerConnection: 5_000, acquireTimeoutMs: 30_000 };
    // Without retries, as the plain SDK with `maxRetries: 0` beside it.
    this.client = pooledClient(address, { name: mode, errors: mode, retry: false, pool });
  }

  async run(scene: Scene, method: string, args: unknown[], timeoutMs: number): Promise<Run> {
    const client = this.client.with({ database: scene.database, timeoutMs });
    const startedAt = performance.now();
    const outcome = await outcomeOf(client, method, args);
    const { rpcs, faults } = scene;
    return { outcome, rpcs, faults, ms: performance.now() - startedAt };
  }
}

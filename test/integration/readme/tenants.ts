// #region tenants
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { InjectMilvus, MilvusRegistry, PooledMilvusClient } from 'nestjs-milvus';

@Injectable()
export class Tenants {
  constructor(
    @InjectMilvus() private readonly milvus: PooledMilvusClient,
    private readonly registry: MilvusRegistry,
    private readonly config: ConfigService,
  ) {}

  /** For one request: the tenant's database, everything else as for all. */
  of(tenant: string): PooledMilvusClient {
    return this.milvus.with({ database: tenant });
  }

  /** A client by name, for a tenant with a user or limits of its own: over the same connections. */
  named(tenant: string, token: string): Promise<PooledMilvusClient> {
    const address = this.config.getOrThrow<string>('MILVUS_ADDRESS');
    return this.registry.getOrCreate(tenant, { address, token, database: tenant });
  }

  /** Connections, breaker and retry budget of its own: however much it asks, it slows nobody else down. */
  noisy(tenant: string): Promise<PooledMilvusClient> {
    const address = this.config.getOrThrow<string>('MILVUS_ADDRESS');
    const pool = { dedicated: true, maxConnections: 1, maxPending: 50 };
    return this.registry.getOrCreate(`noisy-${tenant}`, { address, database: tenant, pool });
  }

  /** Its calls finish first; whoever still holds it gets MilvusClosedError. */
  async forget(tenant: string): Promise<void> {
    await this.registry.remove(tenant);
  }
}
// #endregion

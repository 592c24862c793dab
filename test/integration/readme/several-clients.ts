// #region several-clients
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { InjectMilvus, MilvusModule, PooledMilvusClient } from 'nestjs-milvus';

export const milvus = MilvusModule.forRootAsync({
  names: ['ingest', 'search'], // outside the factory: Nest fixes its providers before factories run
  inject: [ConfigService],
  useFactory: (config: ConfigService) => {
    const address = config.getOrThrow<string>('MILVUS_ADDRESS');
    return {
      ingest: { address, pool: { maxConnections: 2 }, timeouts: { writeMs: 120_000 } },
      search: { address, timeouts: { readMs: 2_000 } },
    };
  },
});

@Injectable()
export class Documents {
  constructor(
    @InjectMilvus('ingest') readonly ingest: PooledMilvusClient,
    @InjectMilvus('search') readonly search: PooledMilvusClient,
  ) {}
}
// #endregion

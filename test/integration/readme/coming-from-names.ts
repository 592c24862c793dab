// #region coming-from-names
import { Injectable } from '@nestjs/common';
import { InjectMilvus, MilvusModule, MilvusRegistry, PooledMilvusClient } from 'nestjs-milvus';

const address = process.env.MILVUS_ADDRESS ?? 'localhost:19530';

export const milvus = [
  MilvusModule.forRoot({ address }), // the alias 'default'
  MilvusModule.forRoot({ name: 'archive', address, timeouts: { readMs: 30_000 } }),
];

@Injectable()
export class Collections {
  constructor(
    @InjectMilvus('archive') readonly archive: PooledMilvusClient, // an alias that is known here
    private readonly clients: MilvusRegistry, // one that is known at run time only
  ) {}

  async names(alias: string): Promise<string[]> {
    const { data } = await this.clients.get(alias).showCollections();
    return data.map(({ name }) => name);
  }
}
// #endregion

import { Injectable, Module } from '@nestjs/common';
import { InjectMilvus, type MilvusClientOptions, type PooledMilvusClient } from '../../lib/index.js';

/** Options of a client that never connects by itself. */
export const lazy = (address = '127.0.0.1:1'): MilvusClientOptions => ({
  address,
  startup: { mode: 'lazy' },
});

@Injectable()
export class Search {
  constructor(@InjectMilvus() readonly client: PooledMilvusClient) {}
}

/** Imports nothing, as a feature of an application would. */
@Module({ providers: [Search], exports: [Search] })
export class SearchModule {}

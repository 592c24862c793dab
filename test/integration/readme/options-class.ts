// #region options-class
import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { type MilvusClientOptions, MilvusModule, type MilvusOptionsFactory } from 'nestjs-milvus';

@Injectable()
class MilvusConfig implements MilvusOptionsFactory {
  constructor(private readonly config: ConfigService) {}

  createMilvusOptions(name: string): MilvusClientOptions {
    return {
      address: this.config.getOrThrow('MILVUS_ADDRESS'),
      database: this.config.get(`DATABASE_OF_${name}`),
    };
  }
}

export const archive = MilvusModule.forRootAsync({ name: 'archive', useClass: MilvusConfig });
// #endregion

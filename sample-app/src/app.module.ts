import { Module } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { APP_FILTER } from '@nestjs/core';
import { HttpDrain, MilvusModule } from 'nestjs-milvus';
import { DocumentsModule } from './documents/documents.module.js';
import { type Environment, readEnvironment } from './environment.js';
import { HealthModule } from './health/health.module.js';
import { MilvusUnavailableFilter } from './http/milvus-unavailable.filter.js';

@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, validate: readEnvironment }),
    MilvusModule.forRootAsync({
      names: ['ingest', 'search'],
      inject: [ConfigService],
      useFactory: (config: ConfigService<Environment, true>) => {
        const server = {
          address: config.get('MILVUS_ADDRESS', { infer: true }),
          token: config.get('MILVUS_TOKEN', { infer: true }),
          startup: { timeoutMs: 5_000 },
        };
        return {
          // Large, patient and few, on a connection of its own: a search never waits behind a batch.
          ingest: { ...server, pool: { maxConnections: 1 }, timeouts: { writeMs: 60_000 } },
          // A user waits for these, and while Milvus is away wants to hear so within a second.
          search: { ...server, pool: { acquireTimeoutMs: 1_000 }, timeouts: { readMs: 5_000 } },
        };
      },
    }),
    DocumentsModule,
    HealthModule,
  ],
  providers: [HttpDrain, { provide: APP_FILTER, useClass: MilvusUnavailableFilter }],
})
export class AppModule {}

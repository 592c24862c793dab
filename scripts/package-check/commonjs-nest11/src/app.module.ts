import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { type MilvusClientOptions, MilvusModule } from 'nestjs-milvus';
import { HealthController } from './health.controller';
import { RoundTripController } from './round-trip.controller';

class Settings {
  readonly milvus: MilvusClientOptions = { address: process.env['MILVUS_ADDRESS'] ?? '127.0.0.1:19530' };
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Module({
  imports: [
    TerminusModule,
    MilvusModule.forRootAsync({
      names: ['search', 'ingest'],
      imports: [SettingsModule],
      inject: [Settings],
      useFactory: ({ milvus }: Settings) => ({
        search: milvus,
        ingest: { ...milvus, pool: { maxConnections: 2 } },
      }),
    }),
  ],
  controllers: [HealthController, RoundTripController],
})
export class AppModule {}

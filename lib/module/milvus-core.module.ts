import {
  Global,
  Module,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { MilvusHealthIndicator } from '../health/milvus.health.js';
import { MilvusRegistry } from './milvus.registry.js';

/** What all `MilvusModule`s of one application share: the registry, the health indicator, and the lifecycle. */
@Global()
@Module({
  providers: [MilvusRegistry, MilvusHealthIndicator],
  exports: [MilvusRegistry, MilvusHealthIndicator],
})
export class MilvusCoreModule
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown
{
  constructor(private readonly registry: MilvusRegistry) {}

  async onModuleInit(): Promise<void> {
    await this.registry.start();
  }

  onApplicationBootstrap(): void {
    this.registry.announceServing();
  }

  /** HTTP is still open: readiness must turn down now, and calls must still work. */
  onModuleDestroy(): void {
    this.registry.announceEnd();
  }

  /** HTTP is closed and its requests are answered: nobody needs the clients any more. */
  async onApplicationShutdown(): Promise<void> {
    await this.registry.close();
  }
}

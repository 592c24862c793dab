// #region worker
import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectMilvus, MilvusModule, PooledMilvusClient } from 'nestjs-milvus';

@Injectable()
export class Counting {
  constructor(@InjectMilvus() private readonly milvus: PooledMilvusClient) {}

  async run(): Promise<number> {
    const { data } = await this.milvus.count({ collection_name: 'documents' });
    return data;
  }
}

@Module({
  imports: [MilvusModule.forRoot({ address: process.env.MILVUS_ADDRESS ?? 'localhost:19530' })],
  providers: [Counting],
})
class WorkerModule {}

export async function main(): Promise<number> {
  const app = await NestFactory.createApplicationContext(WorkerModule);
  app.enableShutdownHooks(); // SIGTERM drains it in the middle of its work, too
  try {
    return await app.get(Counting).run();
  } finally {
    await app.close();
  }
}
// #endregion

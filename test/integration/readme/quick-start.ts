// #region quick-start
import 'reflect-metadata';
import { Controller, Get, Module, Query } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectMilvus, MilvusModule, PooledMilvusClient } from 'nestjs-milvus';

@Controller()
class SearchController {
  constructor(@InjectMilvus() private readonly milvus: PooledMilvusClient) {}

  @Get('search')
  async search(@Query('vector') vector: string) {
    const { results } = await this.milvus.search({
      collection_name: 'documents',
      data: JSON.parse(vector),
      metric_type: 'COSINE',
      output_fields: ['title'],
      limit: 3,
    });
    return results;
  }
}

@Module({
  imports: [MilvusModule.forRoot({ address: process.env.MILVUS_ADDRESS ?? 'localhost:19530' })],
  controllers: [SearchController],
})
class AppModule {}

const app = await NestFactory.create(AppModule);
app.enableShutdownHooks(); // without it SIGTERM ends the process in the middle of its calls
await app.listen(process.env.PORT ?? 3000);

// #endregion

export { app };

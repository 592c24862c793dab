// #region http-drain
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HttpDrain, MilvusModule } from 'nestjs-milvus';

@Module({
  imports: [MilvusModule.forRoot({ address: process.env.MILVUS_ADDRESS ?? 'localhost:19530' })],
  providers: [HttpDrain],
})
export class AppModule {}

export async function main() {
  const app = await NestFactory.create(AppModule);
  app.enableShutdownHooks([], { useProcessExit: true }); // else the process ends by the signal, not with exit code 0
  await app.listen(process.env.PORT ?? 3000);
  return app;
}
// #endregion

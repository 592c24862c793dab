import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module';

async function bootstrap() {
  const app = await NestFactory.create(AppModule, {
    logger: new ConsoleLogger({ json: process.env['LOG_FORMAT'] === 'json' }),
  });
  app.enableShutdownHooks([], { useProcessExit: true });
  // The package check asks for a close without exit, to see what is left open.
  process.once('message', () => app.close().then(() => process.send?.('closed')));
  await app.listen(process.env['PORT'] ?? 0, '127.0.0.1');
  console.log(`Listening on ${await app.getUrl()}`);
}
void bootstrap();

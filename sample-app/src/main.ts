import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import type { Environment } from './environment.js';

const logger = new Logger('SampleApp');

const app = await NestFactory.create(AppModule, { logger: ['fatal', 'error', 'warn', 'log'] });
// Without it Nest runs no hook on SIGTERM and Ctrl-C: nothing is drained, and calls in flight are cut off.
// `useProcessExit` makes a clean end exit with 0; otherwise Nest ends the process by the signal it got.
app.enableShutdownHooks([], { useProcessExit: true });
try {
  const config: ConfigService<Environment, true> = app.get(ConfigService);
  const server = await app.listen(config.get('PORT', { infer: true }));
  logger.log(`Listening on http://localhost:${server.address().port}`);
} catch (error) {
  logger.error(`Could not start: ${(error as Error).message}`);
  await app.close();
  process.exitCode = 1;
}

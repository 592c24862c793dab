import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Inject, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { MilvusHealthIndicator, MilvusModule } from '../../lib/index.js';
import { StubServer, status } from '../support/stub-server.js';

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(MilvusHealthIndicator) private readonly milvus: MilvusHealthIndicator,
  ) {}

  @Get('health')
  @HealthCheck()
  check() {
    return this.health.check([() => this.milvus.pingCheck('milvus', { timeoutMs: 20_000 })]);
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.milvus.isHealthy('milvus')]);
  }
}

let stub: StubServer;
let app: INestApplication;
let url: string;

beforeEach(async () => {
  stub = await StubServer.start();
  @Module({
    imports: [
      TerminusModule.forRoot({ logger: false }),
      MilvusModule.forRoot({ address: stub.address, token: 'hunter2', health: { timeoutMs: 20_000 } }),
    ],
    controllers: [HealthController],
  })
  class AppModule {}
  app = await NestFactory.create(AppModule, {
    logger: false,
    abortOnError: false,
    forceCloseConnections: true,
  });
  await app.listen(0, '127.0.0.1');
  url = await app.getUrl();
});

afterEach(async () => {
  await app.close();
  await stub.stop();
});

describe('a Terminus application', () => {
  it.each(['health', 'ready'])('answers 200 on /%s while Milvus is healthy', async path => {
    const response = await fetch(`${url}/${path}`);

    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      status: 'ok',
      info: { milvus: { status: 'up' } },
      error: {},
    });
  });

  it.each(['health', 'ready'])('answers 503 on /%s while it is not, and 200 again later', async path => {
    stub.next('CheckHealth', status(14, 'proxy is not ready'));
    const down = await fetch(`${url}/${path}`);

    expect(down.status).toBe(503);
    const body = await down.text();
    expect(JSON.parse(body)).toMatchObject({ status: 'error', error: { milvus: { status: 'down' } } });
    expect(body).toMatch(/proxy is not ready/);
    expect(body).not.toContain('hunter2');

    expect((await fetch(`${url}/${path}`)).status).toBe(200);
  });
});

import { Controller, Get } from '@nestjs/common';
import { HealthCheck, HealthCheckService } from '@nestjs/terminus';
import { MilvusHealthIndicator } from 'nestjs-milvus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly milvus: MilvusHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([
      () => this.milvus.isHealthy('milvus'),
      () => this.milvus.pingCheck('search', { client: 'search', timeoutMs: 1_000 }),
    ]);
  }
}

import { Controller, Get } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus';
import { MilvusHealthIndicator } from 'nestjs-milvus';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly milvus: MilvusHealthIndicator,
  ) {}

  /** Whether to restart the process. Asks nothing of Milvus: a restart would not bring it back. */
  @Get('live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** Whether to send requests here: 200, or 503 while Milvus is away and from SIGTERM on. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    return this.health.check([() => this.milvus.isHealthy('milvus')]);
  }
}

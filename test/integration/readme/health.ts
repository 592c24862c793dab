// #region health
import { Controller, Get, Module } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { MilvusHealthIndicator, MilvusModule } from 'nestjs-milvus';

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly milvus: MilvusHealthIndicator,
  ) {}

  /** Liveness asks nobody else: restarting this process does not mend Milvus. */
  @Get('live')
  live() {
    return { status: 'ok' };
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.milvus.pingCheck('milvus', { timeoutMs: 1_000 })]);
  }

  @Get('details')
  @HealthCheck()
  details() {
    return this.health.check([() => this.milvus.isHealthy('milvus')]);
  }
}

@Module({
  imports: [
    TerminusModule,
    MilvusModule.forRoot({ address: process.env.MILVUS_ADDRESS ?? 'localhost:19530' }),
  ],
  controllers: [HealthController],
})
export class HealthModule {}
// #endregion

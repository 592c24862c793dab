import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import { ReadinessGrace } from './readiness-grace.js';

@Module({
  imports: [TerminusModule],
  controllers: [HealthController],
  providers: [ReadinessGrace],
})
export class HealthModule {}

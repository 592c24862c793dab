import { setTimeout as sleep } from 'node:timers/promises';
import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import type { Environment } from '../environment.js';

/**
 * Keeps HTTP open for a moment after SIGTERM, while `/health/ready` says 503 already: the load balancer needs that
 * long to notice, and until it does it sends requests here. Behind one, set READINESS_GRACE_MS to more than its
 * readiness probe takes to fail (in Kubernetes `periodSeconds` × `failureThreshold`), and the time the process is
 * given to end (`terminationGracePeriodSeconds`) to more than that plus `shutdown.drainTimeoutMs`.
 *
 * On Ctrl-C nobody waits for a load balancer.
 */
@Injectable()
export class ReadinessGrace implements BeforeApplicationShutdown {
  private readonly logger = new Logger(ReadinessGrace.name);

  constructor(private readonly config: ConfigService<Environment, true>) {}

  async beforeApplicationShutdown(signal?: string): Promise<void> {
    const graceMs = this.config.get('READINESS_GRACE_MS', { infer: true });
    if (signal !== 'SIGTERM' || graceMs === 0) return;
    this.logger.log(`Not ready any more; HTTP stays open for ${graceMs} ms`);
    await sleep(graceMs);
  }
}

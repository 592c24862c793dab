import type { AddressInfo } from 'node:net';
import {
  Controller,
  GatewayTimeoutException,
  Get,
  type INestApplication,
  Module,
  Param,
  ServiceUnavailableException,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import {
  getMilvusToken,
  InjectMilvus,
  MilvusDeadlineExceededError,
  MilvusHealthIndicator,
  MilvusModule,
  type MilvusPoolEvent,
  MilvusUnavailableError,
  type PooledMilvusClient,
} from '../../../lib/index.js';

/** Of each request to Milvus. */
export const READ_MS = 2_000;

export const HEALTH_LIMIT_MS = 1_000;

/** A client that nobody calls: what becomes of it is seen by its prober alone. */
const UNUSED = 'unused';

/** Longer than a test: it heals because the prober is in a hurry, not because it was time for a look anyhow. */
const NEVER_MS = 600_000;

@Controller('collections')
class CollectionsController {
  constructor(@InjectMilvus() private readonly milvus: PooledMilvusClient) {}

  @Get(':name')
  async fields(@Param('name') collection_name: string): Promise<string[]> {
    try {
      const { schema } = await this.milvus.describeCollection({ collection_name });
      return schema.fields.map(({ name }) => name);
    } catch (error) {
      if (error instanceof MilvusUnavailableError) throw new ServiceUnavailableException(error.code);
      if (error instanceof MilvusDeadlineExceededError) throw new GatewayTimeoutException(error.code);
      throw error;
    }
  }
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly milvus: MilvusHealthIndicator,
  ) {}

  @Get('live')
  live() {
    return { status: 'ok' };
  }

  @Get('ready')
  @HealthCheck()
  ready() {
    return this.health.check([() => this.milvus.pingCheck('milvus', { timeoutMs: HEALTH_LIMIT_MS })]);
  }
}

export type StateChange = Extract<MilvusPoolEvent, { type: 'state-changed' }> & { atMs: number };

/** A client of the application, and what its pool told of its state. */
export class WatchedClient {
  private readonly seen: StateChange[] = [];

  constructor(readonly client: PooledMilvusClient) {
    client.pool.events$.subscribe(event => {
      if (event.type === 'state-changed') this.seen.push({ ...event, atMs: performance.now() });
    });
  }

  changesSince(time: number): StateChange[] {
    return this.seen.filter(({ atMs }) => atMs >= time);
  }
}

/** A Nest application that serves requests from Milvus, and says how it is. */
export class OutageApp {
  readonly busy: WatchedClient;
  readonly unused: WatchedClient;
  private readonly url: string;

  private constructor(private readonly nest: INestApplication) {
    this.busy = new WatchedClient(nest.get(getMilvusToken()));
    this.unused = new WatchedClient(nest.get(getMilvusToken(UNUSED)));
    this.url = `http://127.0.0.1:${(nest.getHttpServer().address() as AddressInfo).port}`;
  }

  static async start(address: string): Promise<OutageApp> {
    const options = {
      address,
      timeouts: { readMs: READ_MS },
      circuitBreaker: { recoveryTimeoutMs: NEVER_MS },
      health: { intervalMs: NEVER_MS },
    };

    @Module({
      imports: [
        TerminusModule.forRoot({ logger: false }),
        MilvusModule.forRoot(options),
        MilvusModule.forRoot({ name: UNUSED, address, health: { intervalMs: 500, timeoutMs: 1_000 } }),
      ],
      controllers: [CollectionsController, HealthController],
    })
    class AppModule {}

    const nest = await NestFactory.create(AppModule, { abortOnError: false });
    await nest.listen(0, '127.0.0.1');
    return new OutageApp(nest);
  }

  /** @returns the status of its answer */
  async get(path: string): Promise<number> {
    const response = await fetch(`${this.url}${path}`);
    await response.arrayBuffer();
    return response.status;
  }

  close(): Promise<void> {
    return this.nest.close();
  }
}

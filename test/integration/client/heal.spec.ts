import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  getMilvusToken,
  MilvusError,
  MilvusHealthIndicator,
  MilvusModule,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { MilvusLite } from '../../../lib/testing/index.js';
import { eventually } from '../../support/pooled-client.js';

const names = ['search', 'ingest', 'idle'] as const;
const collection_name = 'heal';

/** Calls without a pause, one after the other, until told to stop; counts what became of them. */
class Caller {
  succeeded = 0;
  readonly failures: unknown[] = [];
  private stopped = false;
  private readonly done: Promise<void>;
  private onSuccess: () => void = () => {};

  constructor(private readonly call: () => Promise<unknown>) {
    this.done = this.run();
  }

  nextSuccess(): Promise<void> {
    return new Promise(resolve => {
      this.onSuccess = resolve;
    });
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        await this.call();
        this.succeeded++;
        this.onSuccess();
      } catch (error) {
        this.failures.push(error);
      }
    }
  }
}

describe('Milvus Lite killed and started again under load', () => {
  let milvus: MilvusLite;
  let app: Awaited<ReturnType<typeof NestFactory.createApplicationContext>>;
  let clients: PooledMilvusClient[];
  let callers: Caller[] = [];

  beforeAll(async () => {
    milvus = await MilvusLite.start();
    // Who waits for the server gives up soon; whom it answers has the time that it needs on a machine that stalls.
    const options = {
      address: milvus.address,
      pool: { acquireTimeoutMs: 2_000 },
      health: { timeoutMs: 20_000 },
    };

    @Module({
      imports: [
        MilvusModule.forRootAsync({
          names,
          useFactory: () => ({
            search: options,
            ingest: options,
            idle: { ...options, startup: { mode: 'lazy' as const } },
          }),
        }),
      ],
    })
    class AppModule {}

    app = await NestFactory.createApplicationContext(AppModule, { abortOnError: false });
    clients = names.map(name => app.get<PooledMilvusClient>(getMilvusToken(name)));
    await clients[0]!.createCollection({
      collection_name,
      dimension: 4,
      index_params: { index_type: 'AUTOINDEX', metric_type: 'COSINE' },
    });
    await clients[0]!.insert({ collection_name, data: [{ id: 1, vector: [1, 0, 0, 0] }] });
  }, 300_000);

  // Also after a failure, so that the test can be run again.
  afterEach(async () => {
    if (milvus.pid === undefined) await milvus.restart();
    await Promise.all(callers.map(caller => caller.stop()));
  });

  afterAll(async () => {
    await app?.close();
    await milvus?.stop();
  });

  it('every client heals without a restart of the application', async () => {
    const health = app.get(MilvusHealthIndicator);
    callers = clients.map(
      // Not a query: Milvus Lite releases its collections when it is started again, and refuses those.
      client => new Caller(() => client.describeCollection({ collection_name })),
    );
    await Promise.all(callers.map(caller => caller.nextSuccess()));
    expect((await health.isHealthy('milvus')).milvus.status).toBe('up');

    await milvus.kill();
    const down = await health.isHealthy('milvus');
    expect(down.milvus.status).toBe('down');
    expect(JSON.stringify(down)).toContain(milvus.address);

    // Calls that cannot wait for its return.
    await eventually(() => callers.every(({ failures }) => failures.length > 0));
    const healed = Promise.all(callers.map(caller => caller.nextSuccess()));
    await milvus.restart();
    await healed;
    expect((await health.isHealthy('milvus')).milvus.status).toBe('up');

    await Promise.all(callers.map(caller => caller.stop()));
    const failures = callers.flatMap(caller => caller.failures);
    expect(failures.filter(failure => !(failure instanceof MilvusError))).toEqual([]);

    // As the application finds it: Milvus Lite releases indexed collections, the data is there.
    await clients[0]!.loadCollection({ collection_name });
    const { results } = await clients[1]!.search({
      collection_name,
      data: [1, 0, 0, 0],
      metric_type: 'COSINE',
      limit: 1,
    });
    expect(results.map(({ id }) => id)).toEqual(['1']);
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusHealthIndicator, MilvusModule, MilvusRegistry } from '../../lib/index.js';
import { bootApp, closeApps } from '../support/nest-app.js';
import { gate } from '../support/pooled-client.js';
import { StubServer, status, until } from '../support/stub-server.js';

let read: StubServer;
let write: StubServer;

beforeEach(async () => {
  [read, write] = await Promise.all([StubServer.start(), StubServer.start()]);
});

afterEach(async () => {
  await closeApps();
  await Promise.all([read.stop(), write.stop()]);
});

const health = async () => {
  const app = await bootApp({
    imports: [
      MilvusModule.forRoot({ name: 'read', address: read.address, health: { timeoutMs: 20_000 } }),
      MilvusModule.forRoot({
        name: 'write',
        address: write.address,
        health: { timeoutMs: 20_000 },
        token: 'hunter2',
      }),
    ],
  });
  return { app, indicator: app.get(MilvusHealthIndicator) };
};

const up = { status: 'up', state: 'ready', latencyMs: expect.any(Number), connections: 1, inFlight: 0 };

describe('isHealthy', () => {
  it('says up when all clients are, each by its name', async () => {
    const { indicator } = await health();

    expect(await indicator.isHealthy('milvus')).toEqual({
      milvus: { status: 'up', clients: { read: up, write: up } },
    });
  });

  it('says down when one is, and which, and why', async () => {
    const { indicator } = await health();
    write.always('CheckHealth', status(16, 'no'));

    const result = await indicator.isHealthy('milvus');

    expect(result).toEqual({
      milvus: {
        status: 'down',
        clients: {
          read: up,
          write: {
            status: 'down',
            state: 'ready',
            connections: 1,
            inFlight: 0,
            reason: expect.stringMatching(/refused the credentials/),
          },
        },
      },
    });
    expect(JSON.stringify(result)).not.toContain('hunter2');
  });

  it('asks all of them at the same time', async () => {
    const { indicator } = await health();
    const { opened, open } = gate();
    for (const stub of [read, write]) stub.always('CheckHealth', until(opened, status(14, 'not now')));
    const asked = indicator.isHealthy('milvus');
    // Neither is answered before both are asked.
    await Promise.all([read.waitFor(s => s.inFlight === 1), write.waitFor(s => s.inFlight === 1)]);
    open();

    expect(await asked).toMatchObject({
      milvus: { status: 'down', clients: { read: { status: 'down' }, write: { status: 'down' } } },
    });
  });

  it('says down for all when the application is shutting down', async () => {
    const { app, indicator } = await health();
    app.get(MilvusRegistry).announceEnd();

    expect(await indicator.isHealthy('milvus')).toMatchObject({
      milvus: {
        status: 'down',
        clients: {
          read: { status: 'down', reason: expect.stringMatching(/shutting down/) },
          write: { status: 'down', reason: expect.stringMatching(/shutting down/) },
        },
      },
    });
  });

  it('says down for one client that was closed by hand', async () => {
    const { app, indicator } = await health();
    await app.get(MilvusRegistry).get('read').drain();

    expect(await indicator.isHealthy('milvus')).toMatchObject({
      milvus: {
        status: 'down',
        clients: { read: { status: 'down', state: 'closed' }, write: { status: 'up' } },
      },
    });
  });
});

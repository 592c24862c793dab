import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { HttpDrain } from '../../lib/http/http-drain.js';
import { durationOf, eventually, failureOf, SOON_MS } from '../support/pooled-client.js';
import { DrainedApp } from './drained-app.js';

let running: DrainedApp | undefined;
let sockets: Socket[] = [];

async function start(...args: Parameters<typeof DrainedApp.start>): Promise<DrainedApp> {
  running = await DrainedApp.start(...args);
  return running;
}

async function open(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  return socket;
}

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets = [];
  await running?.stop();
  running = undefined;
});

describe('a client that sends its next request as soon as the last one is answered', () => {
  /** Its first request is in flight when HTTP begins to close. */
  async function closeUnder(app: DrainedApp) {
    const client = app.client();
    const first = client('/held');
    await app.held();
    const closing = await app.beginClose();
    app.release();
    return { client, first, ...closing };
  }

  it('holds the closing of HTTP open for as long as it likes', async () => {
    const app = await start([]);
    const { client, first, isClosed } = await closeUnder(app);
    expect(await first).toMatchObject({ status: 200, connection: 'keep-alive' });

    for (let turn = 0; turn < 50; turn++) {
      expect(await client('/hello')).toMatchObject({ status: 200, onUsedConnection: true });
    }

    expect(isClosed()).toBe(false);
  });

  it('lets go with HttpDrain: its answers say so', async () => {
    const app = await start([HttpDrain]);
    const { client, first, closed } = await closeUnder(app);

    expect(await first).toMatchObject({ status: 200, connection: 'close' });
    expect(await failureOf(client('/hello'))).toMatchObject({ code: 'ECONNREFUSED' });
    expect(await durationOf(closed)).toBeLessThan(SOON_MS);
  });
});

/** Keeps HTTP open during the shutdown until the test is done, as a grace for the load balancer does. */
@Injectable()
class Grace {
  static whileOpen: () => Promise<void>;

  beforeApplicationShutdown() {
    return Grace.whileOpen();
  }
}

describe('`Connection: close`', () => {
  const paths = [
    ['/hello', 200],
    ['/nowhere', 404],
    ['/fails', 500],
    ['/keep-alive', 200],
    ['/keep-alive-flat', 200],
    ['/keep-alive-set', 200],
  ] as const;

  it.each(['', '/api'])(
    'is said by every answer after the shutdown began, and by none before (prefix "%s")',
    async prefix => {
      const app = await start([HttpDrain, Grace], { prefix });
      const client = app.client();
      for (const [path, status] of paths) {
        expect([path, await client(path)]).toMatchObject([path, { status, connection: 'keep-alive' }]);
      }
      const during: unknown[] = [];
      Grace.whileOpen = async () => {
        for (const [path] of paths) during.push([path, await client(path)]);
      };

      await app.app.close();

      expect(during).toMatchObject(paths.map(([path, status]) => [path, { status, connection: 'close' }]));
    },
  );

  it('leaves the other headers that an answer was given', async () => {
    const app = await start([HttpDrain, Grace]);
    const kept: unknown[] = [];
    Grace.whileOpen = async () => {
      const client = app.client();
      for (const path of ['/keep-alive', '/keep-alive-flat', '/keep-alive-set']) {
        kept.push((await client(path)).kept);
      }
    };

    await app.app.close();

    expect(kept).toEqual(['yes', 'yes', 'yes']);
  });

  it('is said by answers to requests that came before the shutdown', async () => {
    const app = await start([HttpDrain]);
    const answers = ['/held', '/held', '/held'].map(path => app.client()(path));
    await app.held(3);
    const { closed } = await app.beginClose();

    app.release();

    for (const answer of answers) expect(await answer).toMatchObject({ status: 200, connection: 'close' });
    await closed;
  });
});

describe('connections that carry no request', () => {
  it('stay open as long as HTTP does, and are not waited for when it closes', async () => {
    const app = await start([HttpDrain, Grace]);
    const neverUsed = await open(app.port);
    const client = app.client();
    await client('/hello');
    let openInGrace = 0;
    Grace.whileOpen = async () => {
      app.app.get(HttpDrain)['closeIdle']();
      openInGrace = await promisify(app.server.getConnections.bind(app.server))();
    };

    expect(await durationOf(app.app.close())).toBeLessThan(SOON_MS);

    expect(openInGrace).toBe(2);
    if (!neverUsed.closed) await once(neverUsed, 'close');
  });

  it('are not waited for when they became idle while HTTP closed', async () => {
    const app = await start([HttpDrain]);
    app.server.keepAliveTimeout = 600_000;
    const answer = app.client()('/body-held');
    await app.held();
    const { closed } = await app.beginClose();

    app.release();

    expect(await answer).toMatchObject({ status: 200, connection: 'keep-alive' });
    expect(await durationOf(closed)).toBeLessThan(SOON_MS);
  });

  it('but upgraded ones are left to the application', async () => {
    const app = await start([HttpDrain]);
    app.server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
      socket.pipe(socket);
    });
    const upgraded = await open(app.port);
    upgraded.setEncoding('utf8');
    let received = '';
    upgraded.on('data', text => {
      received += text;
    });
    upgraded.write('GET / HTTP/1.1\r\nHost: echo\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    await eventually(() => received.includes('101'));
    // Its end tells that HttpDrain has looked at idle connections.
    const neverUsed = await open(app.port);
    const { closed, isClosed } = await app.beginClose();
    if (!neverUsed.closed) await once(neverUsed, 'close');

    upgraded.write('still here');
    await eventually(() => received.endsWith('still here'));
    expect(isClosed()).toBe(false);
    upgraded.end();
    await closed;
  });
});

describe('an application', () => {
  it('keeps nothing of what is answered, nor of connections that ended', async () => {
    const app = await start([HttpDrain]);
    const client = app.client();
    for (let turn = 0; turn < 3; turn++) await client('/hello');
    const ended = await open(app.port);
    ended.destroy();

    const drain = app.app.get(HttpDrain);
    await eventually(() => drain['unanswered'].size === 0 && drain['connections'].size === 1);
  });

  it('has none of its listeners left after its end', async () => {
    const app = await start([HttpDrain]);
    const counts = () => ['request', 'connection'].map(event => app.server.listenerCount(event));
    const bare = await DrainedApp.start([]);
    const without = ['request', 'connection'].map(event => bare.server.listenerCount(event));
    await bare.stop();
    expect(counts()).toEqual(without.map(count => count + 1));
    await app.app.close();

    expect(counts()).toEqual(without);
  });

  it('without HTTP starts and ends', async () => {
    @Module({ providers: [HttpDrain] })
    class WorkerModule {}

    const worker = await NestFactory.createApplicationContext(WorkerModule, {
      logger: false,
      abortOnError: false,
    });
    expect(worker.get(HttpDrain)).toBeInstanceOf(HttpDrain);
    await worker.close();
  });
});

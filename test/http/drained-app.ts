import { Agent, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, type INestApplication, Module, type Provider, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { eventually, gate } from '../support/pooled-client.js';

type RawResponse = import('node:http').ServerResponse;

/** An Express application on a free port, and clients that keep their connections alive. */
export class DrainedApp {
  private readonly agents: Agent[] = [];

  private constructor(
    readonly app: INestApplication,
    readonly server: Server,
    private readonly requests: Requests,
    private readonly prefix: string,
  ) {}

  static async start(providers: Provider[], { prefix = '' } = {}): Promise<DrainedApp> {
    const requests = new Requests();

    @Controller()
    class HttpController {
      @Get('hello')
      hello() {
        return 'hello';
      }

      @Get('fails')
      fails() {
        throw new Error('on purpose');
      }

      @Get('held')
      async held() {
        await requests.hold();
        return 'held';
      }

      @Get('body-held')
      async bodyHeld(@Res() response: RawResponse) {
        response.write('head and first bytes');
        await requests.hold();
        response.end();
      }

      @Get('keep-alive')
      keepAlive(@Res() response: RawResponse) {
        response.writeHead(200, { Connection: 'keep-alive', 'X-Kept': 'yes' }).end();
      }

      @Get('keep-alive-flat')
      keepAliveFlat(@Res() response: RawResponse) {
        response.writeHead(200, 'Fine', ['Connection', 'keep-alive', 'X-Kept', 'yes']).end();
      }

      @Get('keep-alive-set')
      keepAliveSet(@Res() response: RawResponse) {
        response.setHeader('Connection', 'keep-alive').setHeader('X-Kept', 'yes').end();
      }
    }

    @Module({ controllers: [HttpController], providers })
    class HttpModule {}

    const app = await NestFactory.create(HttpModule, { logger: false, abortOnError: false });
    app.setGlobalPrefix(prefix);
    await app.listen(0, '127.0.0.1');
    return new DrainedApp(app, app.getHttpServer(), requests, prefix);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** A client with one connection of its own, which it keeps alive. */
  client(): (path: string) => Promise<Answer> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.agents.push(agent);
    const { port, prefix } = this;
    return path => ask(`http://127.0.0.1:${port}${prefix}${path}`, agent);
  }

  /** Waits until so many requests are held in their handlers. */
  async held(count = 1): Promise<void> {
    await eventually(() => this.requests.held === count);
  }

  release(): void {
    this.requests.release();
  }

  /** Begins the shutdown, and waits until HTTP takes no new connection. */
  async beginClose(): Promise<{ closed: Promise<void>; isClosed: () => boolean }> {
    let over = false;
    const closed = this.app.close().finally(() => {
      over = true;
    });
    await eventually(() => !this.server.listening);
    return { closed, isClosed: () => over };
  }

  async stop(): Promise<void> {
    this.release();
    for (const agent of this.agents) agent.destroy();
    this.server.closeAllConnections();
    await this.app.close();
  }
}

/** The requests that wait in their handlers until all of them are released. */
class Requests {
  held = 0;
  private open = gate();

  async hold(): Promise<void> {
    this.held += 1;
    await this.open.opened;
    this.held -= 1;
  }

  release(): void {
    this.open.open();
    this.open = gate();
  }
}

export interface Answer {
  status: number | undefined;
  /** Its `Connection` header. */
  connection: string | undefined;
  kept: unknown;
  onUsedConnection: boolean;
}

/** GET, read to its end; rejects when there is no answer. */
export function ask(url: string, agent: Agent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get(url, { agent }, response => {
      response.once('error', reject);
      response.once('end', () =>
        resolve({
          status: response.statusCode,
          connection: response.headers.connection,
          kept: response.headers['x-kept'],
          onUsedConnection: request.reusedSocket,
        }),
      );
      response.resume();
    });
    request.once('error', reject);
  });
}

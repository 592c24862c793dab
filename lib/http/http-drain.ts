import { EventEmitter } from 'node:events';
import { Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Server as HttpsServer } from 'node:https';
import type { Socket } from 'node:net';
import {
  Injectable,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
  Optional,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** How often it looks whether HTTP has begun to close; Node has no event for that. */
const LOOK_EVERY_MS = 250;

/**
 * Lets HTTP close while clients keep their connections alive. From `onModuleDestroy` on every HTTP/1 answer says
 * `Connection: close`, whatever route or error it is of, also when its request came before. A client that sends its
 * next request as soon as the last one is answered would otherwise hold `app.close()` open for as long as it likes.
 *
 * Idle connections stay open as long as HTTP does: a client, or a load balancer that has not looked at readiness yet, may
 * be sending on one just now. When HTTP closes, Node ends those that are idle; `HttpDrain` ends, within a quarter of a
 * second, those that Node forgets: never used, or idle since then.
 *
 * Works with every adapter whose `getHttpServer()` is a server of `node:http` or `node:https`, Express and Fastify among
 * them. Leaves HTTP/2 and upgraded connections (WebSocket) alone. Does nothing in an application without HTTP.
 *
 * @example
 * \@Module({ providers: [HttpDrain] })
 * export class AppModule {}
 */
@Injectable()
export class HttpDrain implements OnModuleInit, OnModuleDestroy, OnApplicationShutdown {
  private server: HttpServer | HttpsServer | undefined;
  private readonly unanswered = new Set<ServerResponse>();
  private readonly connections = new Set<Socket>();
  private ending = false;
  private looking: NodeJS.Timeout | undefined;

  constructor(@Optional() private readonly adapterHost?: HttpAdapterHost) {}

  /** Listens ahead of the framework, so that it sees what no route and no middleware does. */
  onModuleInit(): void {
    const server: unknown = this.adapterHost?.httpAdapter?.getHttpServer();
    if (!(server instanceof EventEmitter)) return;
    this.server = server as HttpServer | HttpsServer;
    this.server.prependListener('request', this.onRequest);
    const opened = openedEventOf(server);
    if (opened) this.server.on(opened, this.onConnection);
  }

  onModuleDestroy(): void {
    if (!this.server) return;
    this.ending = true;
    for (const response of this.unanswered) sayClose(response);
    this.looking = setInterval(this.closeIdle, LOOK_EVERY_MS).unref();
  }

  /** HTTP is closed. */
  onApplicationShutdown(): void {
    clearInterval(this.looking);
    this.server?.off('request', this.onRequest);
    const opened = openedEventOf(this.server);
    if (opened) this.server?.off(opened, this.onConnection);
    this.server = undefined;
    this.unanswered.clear();
    this.connections.clear();
  }

  private readonly onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    // HTTP/2 has no `Connection` header; its connections end by GOAWAY.
    if (request.httpVersionMajor > 1) return;
    if (this.ending) {
      sayClose(response);
      return;
    }
    this.unanswered.add(response);
    response.once('close', () => this.unanswered.delete(response));
  };

  private readonly onConnection = (socket: Socket): void => {
    this.connections.add(socket);
    socket.once('close', () => this.connections.delete(socket));
  };

  private readonly closeIdle = (): void => {
    if (!this.server || this.server.listening) return;
    // Idle since HTTP closed: the head of its answer had left before the shutdown, without a word of closing.
    this.server.closeIdleConnections?.();
    // Node takes a connection on which nothing was ever sent for a busy one, and waits for it without a limit.
    for (const socket of this.connections) if (socket.bytesRead === 0) socket.destroy();
  };
}

/** The event with the sockets that carry HTTP/1; `undefined` where they may carry HTTP/2. */
function openedEventOf(server: unknown): 'connection' | 'secureConnection' | undefined {
  if (server instanceof HttpServer) return 'connection';
  if (server instanceof HttpsServer) return 'secureConnection';
  return undefined;
}

/** Said when the head is written and not before, because event streams and proxies set a `Connection` of their own. */
function sayClose(response: ServerResponse): void {
  if (response.headersSent) return;
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse;
  response.writeHead = (...args: unknown[]) => {
    response.setHeader('Connection', 'close');
    const headers = args.at(-1);
    if (typeof headers !== 'object' || headers === null) return writeHead(...args);
    return writeHead(...args.slice(0, -1), withoutConnection(headers));
  };
}

/** Of any form that `writeHead` takes: an object, a flat list, a list of pairs. */
function withoutConnection(headers: object): object {
  const stays = (name: unknown) => String(name).toLowerCase() !== 'connection';
  if (!Array.isArray(headers)) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => stays(name)));
  }
  if (Array.isArray(headers[0])) return headers.filter(([name]) => stays(name));
  return headers.filter((_, index) => stays(headers[index - (index % 2)]));
}

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Injectable, type NestMiddleware, type OnModuleDestroy } from '@nestjs/common';

/**
 * Says `Connection: close` on every answer that leaves after the shutdown began. A client that goes on using its
 * kept-alive connection would otherwise hold the closing of HTTP open for as long as it likes.
 */
@Injectable()
export class ConnectionCloseMiddleware implements NestMiddleware, OnModuleDestroy {
  private readonly open = new Set<ServerResponse>();
  private shuttingDown = false;

  use(_request: IncomingMessage, response: ServerResponse, next: () => void): void {
    this.open.add(response);
    response.once('close', () => this.open.delete(response));
    if (this.shuttingDown) sayClose(response);
    next();
  }

  /** The first thing Nest calls after SIGTERM. Requests that came before it are answered after it. */
  onModuleDestroy(): void {
    this.shuttingDown = true;
    for (const response of this.open) sayClose(response);
  }
}

function sayClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

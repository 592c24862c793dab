import type { Setback } from '../resilience/setback.js';

/** Whether what failed may succeed a moment later. Behind a symbol: it is for `execute()` and the start, not for logs. */
export const hopeOf = Symbol('nestjs-milvus.hope');

/** What every error of this package can tell about where it happened. */
export interface MilvusErrorContext {
  /** Name of the client, as registered with `MilvusModule`. */
  client: string;
  /** Public method of the client that was called, e.g. `search`. */
  method?: string;
  /** How often the RPC was sent, or what was to be done was tried, if it was. */
  attempts?: number;
  /** Numeric gRPC status code, when a gRPC status is the reason. */
  grpcCode?: number;
  /** A write was sent, and nobody can know whether Milvus executed it, or still will. */
  outcomeUnknown?: boolean;
  cause?: unknown;
  /** @internal */
  hope?: Setback['hope'];
}

/**
 * The one base of everything this package throws.
 *
 * `code` is stable and meant for programs; `message` is meant for people and names the client and the remedy.
 * No message holds a token or password.
 */
export class MilvusError extends Error {
  readonly code: string = 'MILVUS_ERROR';
  readonly client: string;
  declare readonly method?: string;
  declare readonly attempts?: number;
  declare readonly grpcCode?: number;
  /**
   * `true`: a write was sent, and nobody can know whether Milvus executed it, or still will; whatever the error is otherwise: a
   * deadline, an abort, a broken connection. Look before you do it again.
   */
  declare readonly outcomeUnknown?: true;
  /** @internal */
  declare readonly [hopeOf]?: Setback['hope'];

  constructor(message: string, context: MilvusErrorContext) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.name = new.target.name;
    this.client = context.client;
    if (context.method !== undefined) this.method = context.method;
    if (context.attempts !== undefined) this.attempts = context.attempts;
    if (context.grpcCode !== undefined) this.grpcCode = context.grpcCode;
    if (context.outcomeUnknown) this.outcomeUnknown = true;
    if (context.hope) Object.defineProperty(this, hopeOf, { value: context.hope });
  }
}

import { MilvusError, type MilvusErrorContext } from './milvus-error.js';

export interface MilvusServerErrorContext extends MilvusErrorContext {
  /** Milvus's numeric code; absent when the refusal is a plain gRPC status. */
  errorCode?: number;
  /** Milvus's name of the code, or the name of the gRPC status. */
  errorName: string;
  /** What the server said. */
  reason: string;
  /** The server's own flag; not reliable (a Milvus 2.3.5 says `false` for RateLimit). */
  retriable?: boolean;
}

/** Milvus answered, and said no. */
export class MilvusServerError extends MilvusError {
  override readonly code: string = 'MILVUS_SERVER';
  declare readonly errorCode?: number;
  readonly errorName: string;
  readonly reason: string;
  readonly retriable: boolean;

  constructor(message: string, context: MilvusServerErrorContext) {
    super(message, context);
    if (context.errorCode !== undefined) this.errorCode = context.errorCode;
    this.errorName = context.errorName;
    this.reason = context.reason;
    this.retriable = context.retriable ?? false;
  }
}

/** Milvus refused the call because of its rate limits (code 8), before it executed anything. */
export class MilvusRateLimitError extends MilvusServerError {
  override readonly code = 'MILVUS_RATE_LIMIT';
}

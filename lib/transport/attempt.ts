/** One unary RPC, ready for the wire. */
export interface UnaryRequest {
  /** `/package.Service/Method` */
  path: string;
  /** The serialized request, without gRPC prefix. */
  message: Uint8Array;
  /** Lower-case gRPC metadata: credentials, database, client id. */
  metadata: Readonly<Record<string, string>>;
  /** Time left for this attempt, in ms; sent as `grpc-timeout` and enforced here. */
  timeoutMs: number;
  /** How much longer to wait here, in ms: for whoever ends the attempt in time himself, and wants to be the first. */
  graceMs?: number;
}

/** Milvus answered with a message. */
export interface AttemptAnswer {
  ok: true;
  message: Buffer;
}

/** The attempt ended without a message. */
export interface AttemptFailure {
  ok: false;
  /** gRPC status code. */
  code: number;
  /** The server's words, or ours. */
  message: string;
  /**
   * `no`: HTTP/2 proves that the server did not process the request, so that sending it again is safe for every RPC.
   * `unknown`: it may have.
   */
  processed: 'no' | 'unknown';
  /** Whether the whole connection went down, not only this stream. */
  connectionDied: boolean;
  /** Who ended it: a status the server sent, the transport below, or the caller (cancel, deadline). */
  origin: 'server' | 'transport' | 'caller';
  /** Nothing at all arrived on the connection while the attempt lasted. */
  silent: boolean;
  /** No call on the connection was answered while the attempt lasted; a PING may have been. */
  unanswered: boolean;
  /** The peer answered, but not with gRPC: the address is not Milvus. */
  notGrpc: boolean;
  /** Milvus answered, but with something that cannot be taken for one message, or with too much. */
  unreadable: boolean;
  /** HTTP/2 error code of a stream reset, when there was one. */
  resetCode?: number;
}

/** How an attempt ended; exactly one per attempt. */
export type AttemptOutcome = AttemptAnswer | AttemptFailure;

export interface Attempt {
  /** Always resolves, never rejects. */
  readonly outcome: Promise<AttemptOutcome>;
  /** Ends the attempt now (RST_STREAM CANCEL on the wire). Harmless once it has ended. */
  cancel(): void;
}

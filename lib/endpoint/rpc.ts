import type { ConnectionSource } from '../pool/connection-source.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { Deadline } from '../resilience/deadline.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { GrpcCode, grpcCodeName } from '../transport/grpc-status.js';
import type { Http2Connection } from '../transport/http2-connection.js';

/** One method of the Milvus gRPC service, as the SDK's own service definition describes it. */
export interface RpcMethod {
  /** `Search` */
  readonly name: string;
  /** `/milvus.proto.milvus.MilvusService/Search` */
  readonly path: string;
  serialize(request: object): Uint8Array;
  deserialize(message: Buffer): object;
}

/** One RPC to be sent. */
export interface Rpc {
  method: RpcMethod;
  request: object;
  /** The RPC's own limit, in ms; its call's deadline may be sooner. */
  timeoutMs: number;
  /** What this RPC carries besides the metadata of its call. */
  metadata?: Readonly<Record<string, string>>;
}

/** An RPC on its way, as its call sees it. */
export interface RpcUnderWay {
  /** The call has ended: so must this. */
  cancel(): void;
  /** Why it is still waiting for a connection; `undefined` once it was sent. */
  unsent(): PoolFailure | undefined;
}

/** The call that an RPC belongs to, as far as the way to the wire must know it. */
export interface RpcCall {
  readonly deadline: Deadline;
  /** Credentials, database and client id. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Where its RPCs find a connection, if not in the pool: its lease. */
  readonly connections?: ConnectionSource<Http2Connection>;
  /** Whether it is over, so that nothing more may be sent for it. */
  readonly ended: boolean;
  /**
   * Makes an RPC known to its call, which cancels it if it ends first.
   *
   * @returns to be called when the RPC is over
   */
  begin(rpc: RpcUnderWay): () => void;
}

/** Why an RPC has no answer. */
export type RpcFailure =
  /** It was sent, or nearly. */
  | { at: 'wire'; authority: string; attempt: AttemptFailure }
  /** It found no connection. */
  | { at: 'pool'; pool: PoolFailure }
  /** It was answered with something that cannot be read. */
  | { at: 'answer' }
  /** It fits no message, and was not sent. */
  | { at: 'request' }
  /** Its call ended first. */
  | { at: 'call' };

/**
 * A failed RPC as the SDK's code expects one: with the code, details and message of grpc-js. It leaves the client as a
 * MilvusError, or as it is where the caller wants what the plain SDK gives.
 */
export class RpcError extends Error {
  constructor(
    /** Name of the RPC. */
    readonly rpc: string,
    /** gRPC status code. */
    readonly code: number,
    readonly details: string,
    readonly failure: RpcFailure,
    cause?: unknown,
  ) {
    super(`${code} ${grpcCodeName(code)}: ${details}`, cause === undefined ? undefined : { cause });
    this.name = 'RpcError';
  }
}

/** It found no connection, or no lease. */
export function poolError(rpc: string, pool: PoolFailure): RpcError {
  const away = pool.reason === 'unreachable' || pool.reason === 'lease-lost';
  const code = away ? GrpcCode.UNAVAILABLE : GrpcCode.RESOURCE_EXHAUSTED;
  return new RpcError(rpc, code, pool.message, { at: 'pool', pool });
}

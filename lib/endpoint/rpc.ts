import type { ConnectionSource } from '../pool/connection-source.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { Deadline } from '../resilience/deadline.js';
import type { NoRetry, RetryPolicy } from '../resilience/retry-schedule.js';
import type { Repeatability, Setback } from '../resilience/setback.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { grpcCodeName } from '../transport/grpc-status.js';
import type { Http2Connection } from '../transport/http2-connection.js';

/** One method of the Milvus gRPC service, as the SDK's own service definition describes it. */
export interface RpcMethod {
  /** `Search` */
  readonly name: string;
  /** `/milvus.proto.milvus.MilvusService/Search` */
  readonly path: string;
  readonly repeatability: Repeatability;
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
  /** The credentials that it was last sent with. */
  sentAs?: RpcCall['authorization'];
  /** What came of sending it earlier, to no avail. */
  before?: Delivered;
  /** Set when its answer is a refusal. */
  delivered?: Delivered;
}

/** What came of sending an RPC, beside its answer or error. */
export interface Delivered {
  /** How often it was sent. */
  readonly attempts: number;
  /** Milvus may have executed it although it did not say so. */
  readonly uncertain: boolean;
  /** It is to change something. */
  readonly writes: boolean;
  /** Whether executing it twice does no harm, by its nature or by its caller's word. */
  readonly repeatable: boolean;
  /** Whether what its last attempt met may pass. */
  readonly hope: Setback['hope'];
  /** Why it was not sent once more, though it may be. */
  readonly stoppedBy?: NoRetry;
  /** As that: there was no connection to send it on. */
  readonly noConnection?: PoolFailure;
}

/** An RPC on its way, as its call sees it. */
export interface RpcUnderWay {
  /** The call has ended: so must this. */
  cancel(): void;
  /** Why it is waiting for a connection; `undefined` when it is not. */
  unsent(): PoolFailure | undefined;
  /** How often it was sent. */
  readonly sends: number;
  /** Milvus may have executed it, or may still do so. */
  readonly uncertain: boolean;
  /** It is to change something. */
  readonly writes: boolean;
}

/** The call that an RPC belongs to, as far as the way to the wire must know it. */
export interface RpcCall {
  readonly deadline: Deadline;
  /** Database and client id. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Its credentials as they are now. */
  readonly authorization?: Readonly<Record<string, string>>;
  /** Where its RPCs find a connection, if not in the pool: its lease. */
  readonly connections?: ConnectionSource<Http2Connection>;
  /** How often and at which pace its RPCs may be sent again; `false`: never. */
  readonly retry: RetryPolicy | false;
  /** It is a part of a function that runs once more. */
  readonly rerun?: boolean;
  /** It is to find out how the server is, and is let through where others are not. */
  readonly probes?: boolean;
  /** Its caller knows that executing any of them twice does no harm. */
  readonly idempotent: boolean;
  /** Whether it is over, so that nothing more may be sent for it. */
  readonly ended: boolean;
  /**
   * Makes an RPC known to its call, which cancels it if it ends first.
   *
   * @returns to be called when the RPC is over: whether it was to change something and nobody knows if it did
   */
  begin(rpc: RpcUnderWay): (outcomeUnknown: boolean) => void;
  /**
   * One of its RPCs failed, and is sent again after a pause.
   *
   * @param attempts so far
   * @param why in words
   */
  retrying?(rpc: string, attempts: number, pauseMs: number, why: string): void;
}

/** Why an RPC has no answer. */
export type RpcFailure =
  /** It was sent, or nearly. */
  | { at: 'wire'; authority: string; attempt: AttemptFailure }
  /** Its time was up when it could be sent. */
  | { at: 'line' }
  /** It found no connection. */
  | { at: 'pool'; pool: PoolFailure }
  /** The circuit breaker let nothing through. */
  | { at: 'circuit'; retryAfterMs: number }
  /** Its caller's `credentials` function gave none. */
  | { at: 'credentials' }
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
  declare readonly delivered?: Delivered;
  /** How often the RPC was sent. */
  declare readonly attempts?: number;
  /** It is to change something, was sent, and nobody can know whether Milvus executed it. */
  declare readonly outcomeUnknown?: true;

  constructor(
    /** Name of the RPC. */
    readonly rpc: string,
    /** gRPC status code. */
    readonly code: number,
    readonly details: string,
    readonly failure: RpcFailure,
    { cause, delivered }: { cause?: unknown; delivered?: Delivered } = {},
  ) {
    super(`${code} ${grpcCodeName(code)}: ${details}`, cause === undefined ? undefined : { cause });
    this.name = 'RpcError';
    Object.defineProperty(this, 'delivered', { value: delivered });
    if (delivered?.attempts) this.attempts = delivered.attempts;
    if (delivered?.uncertain && delivered.writes) this.outcomeUnknown = true;
  }
}

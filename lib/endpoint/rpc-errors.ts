import type { PoolFailure } from '../pool/pool-failure.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { GrpcCode } from '../transport/grpc-status.js';
import { type Delivered, type Rpc, RpcError } from './rpc.js';

/** It fits no message. */
export function unserializable({ method }: Rpc, error: Error): RpcError {
  // The words of grpc-js, here and below.
  const details = `Request message serialization failure: ${error.message}`;
  return new RpcError(method.name, GrpcCode.INTERNAL, details, { at: 'request' }, { cause: error });
}

export function unreadable({ method }: Rpc, error: Error, delivered: Delivered): RpcError {
  const details = `Response message parsing error: ${error.message}`;
  return new RpcError(method.name, GrpcCode.INTERNAL, details, { at: 'answer' }, { cause: error, delivered });
}

export function callEnded({ method }: Rpc, delivered?: Delivered): RpcError {
  const failure = { at: 'call' } as const;
  return new RpcError(method.name, GrpcCode.CANCELLED, 'its call has ended', failure, { delivered });
}

/** Its time was up before it could be sent. */
export function tooLate({ method }: Rpc, delivered: Delivered): RpcError {
  const message = 'its time was up before it could be sent';
  const failure = { at: 'line' } as const;
  return new RpcError(method.name, GrpcCode.DEADLINE_EXCEEDED, message, failure, { delivered });
}

export function wireError(
  { method }: Rpc,
  authority: string,
  attempt: AttemptFailure,
  delivered: Delivered,
): RpcError {
  const failure = { at: 'wire', authority, attempt } as const;
  return new RpcError(method.name, attempt.code, attempt.message, failure, { delivered });
}

/** There are no credentials to send it with. */
export function noCredentials({ method }: Rpc, error: Error): RpcError {
  const failure = { at: 'credentials' } as const;
  return new RpcError(method.name, GrpcCode.UNAUTHENTICATED, error.message, failure, { cause: error.cause });
}

export function circuitOpen({ method }: Rpc, retryAfterMs: number): RpcError {
  const failure = { at: 'circuit', retryAfterMs } as const;
  return new RpcError(method.name, GrpcCode.UNAVAILABLE, 'the circuit breaker is open', failure);
}

/** It found no connection, or no lease. */
export function poolError(rpc: string, pool: PoolFailure, delivered?: Delivered): RpcError {
  const away = pool.reason === 'unreachable' || pool.reason === 'lease-lost';
  const code = away ? GrpcCode.UNAVAILABLE : GrpcCode.RESOURCE_EXHAUSTED;
  return new RpcError(rpc, code, pool.message, { at: 'pool', pool }, { delivered });
}

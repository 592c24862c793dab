import { codeOf, isRateLimit, type ResponseStatus } from '../endpoint/response-status.js';
import type { RpcError } from '../endpoint/rpc.js';
import { MilvusRateLimitError, MilvusServerError } from '../errors/server-error.js';
import { grpcCodeName } from '../transport/grpc-status.js';
import { about, contextOf, effort, type FailedCall } from './failed-call.js';

/** Milvus answered with a gRPC status, not with one of its own codes. */
export function fromGrpcStatus(message: string, error: RpcError, call: FailedCall): MilvusServerError {
  return new MilvusServerError(message, {
    ...contextOf(call, { grpcCode: error.code, cause: error }),
    errorName: grpcCodeName(error.code),
    reason: error.details,
  });
}

/** Milvus's own status. */
export function fromStatus(
  status: ResponseStatus,
  rpc: string,
  call: FailedCall,
  cause?: unknown,
): MilvusServerError {
  const errorCode = codeOf(status);
  // Milvus Lite calls some failures `Success`.
  const named = status.error_code && status.error_code !== 'Success' ? String(status.error_code) : undefined;
  const code = errorCode === undefined ? '' : ` (code ${errorCode})`;
  const step = rpc.toLowerCase() === call.method.toLowerCase() ? '' : `${rpc}: `;
  const reason = status.reason ?? '';
  const whoMay =
    (call.attempts ?? 1) > 1 ? 'An attempt of it may have been executed' : 'Milvus may have executed it';
  const doubt = call.outcomeUnknown ? `. ${whoMay}` : '';
  const message = `${about(call)}: ${step}Milvus answered ${named ?? 'an error'}${code}: ${reason}${effort(call)}${doubt}`;
  const context = {
    ...contextOf(call, { cause }),
    errorCode,
    errorName: named ?? 'UnexpectedError',
    reason,
    retriable: status.retriable,
  };
  return isRateLimit(status)
    ? new MilvusRateLimitError(message, context)
    : new MilvusServerError(message, context);
}

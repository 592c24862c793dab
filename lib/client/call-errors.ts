import { RpcError } from '../endpoint/rpc.js';
import { MilvusError } from '../errors/milvus-error.js';
import { MilvusRequestError } from '../errors/request-error.js';
import type { CallFailure } from './call-failure.js';
import { deadlineError } from './end-errors.js';
import { about, contextOf, type FailedCall, withDelivered } from './failed-call.js';
import { circuitOpenError, fromPool, refusedError } from './pool-errors.js';
import { fromGrpcStatus, fromStatus } from './server-errors.js';
import { fromAttempt, noCredentialsError, outcomeUnknown } from './wire-errors.js';

/**
 * What leaves a call that throws: the MilvusError that says why.
 *
 * @param thrown by the SDK's code; what it makes of a refusal may be no error, or hide the reason
 * @param failure the failed RPC behind it, if there is one
 */
export function toMilvusError(
  thrown: unknown,
  failure: CallFailure | undefined,
  call: FailedCall,
): MilvusError {
  if (thrown instanceof MilvusError) return thrown;
  if (thrown instanceof RpcError) return fromRpcError(thrown, call);
  if (failure) return fromCallFailure(failure, call, thrown instanceof Error ? thrown : undefined);
  return requestError(thrown instanceof Error ? thrown.message : String(thrown), thrown, call);
}

/** What leaves a call whose failure the SDK's code swallowed. */
export function fromCallFailure(
  { error, status, rpc, delivered }: CallFailure,
  call: FailedCall,
  thrown?: unknown,
): MilvusError {
  return error ? fromRpcError(error, call) : fromStatus(status, rpc, withDelivered(call, delivered), thrown);
}

/**
 * What leaves a call whose caller wants what the plain SDK gives. Failures that the plain SDK does not know (the client
 * is closed, the pool has no room) are MilvusErrors all the same.
 */
export function toPlainError(thrown: unknown, call: FailedCall): unknown {
  if (!(thrown instanceof RpcError)) return thrown;
  const { failure } = thrown;
  if (
    failure.at === 'call' ||
    failure.at === 'circuit' ||
    failure.at === 'credentials' ||
    (failure.at === 'pool' && failure.pool.reason !== 'unreachable')
  ) {
    return fromRpcError(thrown, call);
  }
  return thrown;
}

function fromRpcError(error: RpcError, of: FailedCall): MilvusError {
  const { failure } = error;
  const call = withDelivered(of, error.delivered);
  switch (failure.at) {
    case 'wire':
      return fromAttempt(error, failure.authority, failure.attempt, call);
    case 'pool':
      return fromPool(failure.pool, call);
    case 'line':
      return deadlineError(call, error);
    case 'circuit':
      return circuitOpenError(call, failure.retryAfterMs, error);
    case 'credentials':
      return noCredentialsError(error, call);
    case 'answer': {
      const what = `${about(call)}: ${error.rpc}: ${error.details}`;
      if (call.outcomeUnknown && !call.repeatable) return outcomeUnknown(what, error, call);
      return fromGrpcStatus(what, error, call);
    }
    case 'request':
      return requestError(error.details, error.cause, call);
    case 'call':
      // The caller has been told by then; this reaches nobody.
      return refusedError(call);
  }
}

/** The SDK's own refusal. */
function requestError(what: string, cause: unknown, call: FailedCall): MilvusRequestError {
  const fate = call.wrote ? '. Milvus executed a part of it' : '';
  const message = `${about(call)}: ${what.replace(/\.$/, '')}${fate}`;
  return new MilvusRequestError(message, contextOf(call, { cause }));
}

import { RpcError, type RpcFailure } from '../endpoint/rpc.js';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import {
  MilvusAbortedError,
  MilvusAuthenticationError,
  MilvusClosedError,
  MilvusConnectionError,
  MilvusDeadlineExceededError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import { MilvusError, type MilvusErrorContext } from '../errors/milvus-error.js';
import { MilvusRequestError } from '../errors/request-error.js';
import { MilvusRateLimitError, MilvusServerError } from '../errors/server-error.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { GrpcCode, grpcCodeName } from '../transport/grpc-status.js';
import type { CallFailure } from './call-failure.js';
import { about, type FailedCall } from './failed-call.js';
import { fromPool, refusedError } from './pool-errors.js';
import { codeOf, type ResponseStatus } from './response-status.js';

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
  if (thrown instanceof RpcError) return fromFailure(thrown, thrown.failure, call);
  if (failure) return fromCallFailure(failure, call, thrown instanceof Error ? thrown : undefined);
  return requestError(thrown instanceof Error ? thrown.message : String(thrown), thrown, call);
}

/** What leaves a call whose failure the SDK's code swallowed. */
export function fromCallFailure(failure: CallFailure, call: FailedCall, thrown?: unknown): MilvusError {
  if (failure.error) return fromFailure(failure.error, failure.error.failure, call);
  return fromStatus(failure.status, failure.rpc, call, thrown);
}

/**
 * What leaves a call whose caller wants what the plain SDK gives. Failures that the plain SDK does not know (the client
 * is closed, the pool has no room) are MilvusErrors all the same.
 */
export function toPlainError(thrown: unknown, call: FailedCall): unknown {
  if (!(thrown instanceof RpcError)) return thrown;
  const { failure } = thrown;
  if (failure.at === 'call' || (failure.at === 'pool' && failure.pool.reason !== 'unreachable')) {
    return fromFailure(thrown, failure, call);
  }
  return thrown;
}

/** The deadline as the plain SDK tells it; the cause says more. */
export function plainTimeoutError(error: MilvusConnectionError, { method, limit }: FailedCall): RpcError {
  const details = `Deadline exceeded after ${limit.timeoutMs / 1_000}s`;
  return new RpcError(method, GrpcCode.DEADLINE_EXCEEDED, details, { at: 'call' }, error);
}

/** The caller's own signal ended the call. */
export function abortedError(
  call: Pick<FailedCall, 'client' | 'method'>,
  reason: unknown,
  sent: boolean,
): MilvusAbortedError {
  const fate = sent ? 'Milvus may still execute it' : 'It was not sent';
  const { client, method } = call;
  const message = `${about(call)} was aborted by its signal. ${fate}`;
  return new MilvusAbortedError(message, { client, method, cause: reason });
}

/**
 * The whole-call deadline passed.
 *
 * @param unsent why the call still waited for a connection, if it did
 */
export function timeoutError(call: FailedCall, unsent?: PoolFailure): MilvusConnectionError {
  if (!unsent) return deadlineError(call, 'Milvus may still execute it');
  // What it waited for says more than that the time is up.
  return fromPool(unsent, call, 'own');
}

/** The client is at its drain limit, and ended the call. */
export function cancelledError(
  call: Pick<FailedCall, 'client' | 'method'>,
  sent: boolean,
): MilvusClosedError {
  const fate = sent ? 'Milvus may still execute it' : 'It was not sent';
  return new MilvusClosedError(
    `${about(call)} was cancelled: it did not end within the drain limit (shutdown.drainTimeoutMs). ${fate}`,
    call,
  );
}

function deadlineError(call: FailedCall, fate: string, cause?: RpcError): MilvusDeadlineExceededError {
  const { client, method, rpcLimit } = call;
  const { timeoutMs, setBy } = rpcLimit ?? call.limit;
  const what = rpcLimit && cause ? `${about(call)}: its ${cause.rpc}` : about(call);
  const message = `${what} did not end within its ${Math.round(timeoutMs)} ms. ${fate}. Raise ${setBy}`;
  return new MilvusDeadlineExceededError(message, {
    client,
    method,
    grpcCode: GrpcCode.DEADLINE_EXCEEDED,
    cause,
  });
}

function fromFailure(error: RpcError, failure: RpcFailure, call: FailedCall): MilvusError {
  switch (failure.at) {
    case 'wire':
      return fromAttempt(error, failure.authority, failure.attempt, call);
    case 'pool':
      return fromPool(failure.pool, call);
    case 'answer':
      return serverError(`${about(call)}: ${error.rpc}: ${error.details}`, error, call);
    case 'request':
      return requestError(error.details, error.cause, call);
    case 'call':
      // The caller has been told by then; this reaches nobody.
      return refusedError(call);
  }
}

function fromAttempt(
  error: RpcError,
  authority: string,
  attempt: AttemptFailure,
  call: FailedCall,
): MilvusError {
  const { client, method } = call;
  const context: MilvusErrorContext = { client, method, grpcCode: attempt.code, cause: error };
  const where = `${about(call)}: ${error.rpc} to ${authority}`;
  const wrongAddress = attempt.notGrpc && attempt.code !== GrpcCode.UNAVAILABLE;
  if (attempt.code === GrpcCode.UNAUTHENTICATED) {
    const message = `${where}: Milvus refused the credentials (${attempt.message}). Check \`username\` and \`password\`, or \`token\``;
    return new MilvusAuthenticationError(message, context);
  }
  if (wrongAddress)
    return new MilvusUnavailableError(`${where}: ${attempt.message}. Check \`address\``, context);
  if (attempt.origin === 'caller') {
    return attempt.code === GrpcCode.DEADLINE_EXCEEDED
      ? deadlineError(call, 'Milvus may still execute it', error)
      : new MilvusConfigurationError(`${about(call)} was not sent: ${attempt.message}`, context);
  }
  if (attempt.code === GrpcCode.DEADLINE_EXCEEDED) {
    const message = `${where}: Milvus itself ran out of time (${attempt.message}). ${fate(attempt)}`;
    return new MilvusDeadlineExceededError(message, context);
  }
  if (attempt.origin === 'transport' || attempt.code === GrpcCode.UNAVAILABLE) {
    const what =
      attempt.origin === 'server' ? `Milvus is not available (${attempt.message})` : attempt.message;
    const message = `${where}: ${what}. ${fate(attempt)}`;
    return attempt.code === GrpcCode.RESOURCE_EXHAUSTED && attempt.resetCode === undefined
      ? new MilvusConnectionError(message, context)
      : new MilvusUnavailableError(message, context);
  }
  const remedy = remedies[attempt.code] ?? '';
  return serverError(`${where}: ${grpcCodeName(attempt.code)}: ${attempt.message}${remedy}`, error, call);
}

const remedies: Readonly<Record<number, string>> = {
  [GrpcCode.UNIMPLEMENTED]: '. This server is too old for it, or not Milvus',
  [GrpcCode.PERMISSION_DENIED]: '. Grant the privilege to a role of this user',
};

/** A gRPC status, not one of Milvus's own codes. */
function serverError(message: string, error: RpcError, { client, method }: FailedCall): MilvusServerError {
  return new MilvusServerError(message, {
    client,
    method,
    grpcCode: error.code,
    errorName: grpcCodeName(error.code),
    reason: error.details,
    cause: error,
  });
}

/** Milvus's own status. */
function fromStatus(
  status: ResponseStatus,
  rpc: string,
  call: FailedCall,
  cause?: unknown,
): MilvusServerError {
  const { client, method } = call;
  const errorCode = codeOf(status);
  // Milvus Lite calls some failures `Success`.
  const named = status.error_code && status.error_code !== 'Success' ? String(status.error_code) : undefined;
  const code = errorCode === undefined ? '' : ` (code ${errorCode})`;
  const step = rpc.toLowerCase() === method.toLowerCase() ? '' : `${rpc}: `;
  const reason = status.reason ?? '';
  const message = `${about(call)}: ${step}Milvus answered ${named ?? 'an error'}${code}: ${reason}`;
  const context = {
    client,
    method,
    errorCode,
    errorName: named ?? 'UnexpectedError',
    reason,
    retriable: status.retriable,
    cause,
  };
  return errorCode === 8 || named === 'RateLimit'
    ? new MilvusRateLimitError(message, context)
    : new MilvusServerError(message, context);
}

/** The SDK's own refusal. */
function requestError(what: string, cause: unknown, call: FailedCall): MilvusRequestError {
  const { client, method, wrote } = call;
  const fate = wrote ? '. Milvus executed a part of it' : '';
  return new MilvusRequestError(`${about(call)}: ${what.replace(/\.$/, '')}${fate}`, {
    client,
    method,
    cause,
  });
}

function fate({ processed }: AttemptFailure): string {
  return processed === 'no' ? 'Milvus did not execute it' : 'Whether Milvus executed it is not known';
}

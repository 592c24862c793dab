import { RpcError, type RpcFailure } from '../endpoint/rpc.js';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import {
  MilvusAuthenticationError,
  MilvusClosedError,
  MilvusConnectionError,
  MilvusConnectTimeoutError,
  MilvusDeadlineExceededError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import type { MilvusError, MilvusErrorContext } from '../errors/milvus-error.js';
import { MilvusServerError } from '../errors/server-error.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { GrpcCode, grpcCodeName } from '../transport/grpc-status.js';

/** The call that failed, for its error. */
export interface FailedCall {
  client: string;
  method: string;
  timeoutMs: number;
  /** Whether RPCs of it were sent before the one that failed. */
  executedInPart?: boolean;
}

/** What leaves a call: a failed RPC becomes the MilvusError that says why; anything else stays what it is. */
export function toCallError(error: unknown, call: FailedCall): unknown {
  if (!(error instanceof RpcError)) return error;
  return fromFailure(error, error.failure, call);
}

/**
 * The whole-call deadline passed.
 *
 * @param unsent why the call still waited for a connection, if it did
 */
export function timeoutError(call: FailedCall, unsent?: PoolFailure): MilvusConnectionError {
  // That Milvus cannot be reached says more than that the time is up.
  if (unsent?.connectError) return fromPool(unsent, call);
  return deadlineError(
    call,
    unsent ? 'It waited for a connection and was not sent' : 'Milvus may still execute it',
  );
}

/** The client is draining or closed, and admits no calls. */
export function refusedError(call: Pick<FailedCall, 'client' | 'method'>): MilvusClosedError {
  return new MilvusClosedError(`${about(call)} was refused: the client is shutting down or closed`, call);
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
  const { client, method, timeoutMs } = call;
  const message = `${about(call)} did not end within its ${Math.round(timeoutMs)} ms. ${fate}. Give the request a longer \`timeout\`, or raise \`timeouts\``;
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
      return serverError(`${about(call)}: ${error.message}`, error, call);
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
  const remedy =
    attempt.code === GrpcCode.UNIMPLEMENTED ? '. This server is too old for it, or not Milvus' : '';
  return serverError(`${where}: ${grpcCodeName(attempt.code)}: ${attempt.message}${remedy}`, error, call);
}

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

function fromPool(failure: PoolFailure, call: FailedCall): MilvusConnectionError {
  const { reason, snapshot, connectError } = failure;
  const { client, method } = call;
  const context: MilvusErrorContext = { client, method, cause: connectError ?? failure };
  switch (reason) {
    case 'closed':
      return refusedError(call);
    case 'unreachable': {
      const why = connectError
        ? `${connectError.message}. ${connectError.remedy}`
        : 'no connection could be made';
      const message = `${unsent(call)}: ${why}`;
      return connectError?.failure === 'timeout'
        ? new MilvusConnectTimeoutError(message, context)
        : new MilvusUnavailableError(message, context);
    }
    case 'line-full':
    case 'no-room': {
      const { size, maxConnections, inFlight, pending } = snapshot;
      const limit =
        reason === 'line-full' ? 'pool.maxPending calls wait already' : 'it waited for pool.acquireTimeoutMs';
      return new MilvusPoolExhaustedError(
        `${unsent(call)}: no room on any connection, and ${limit} (${size} of ${maxConnections} connections, ${inFlight} in flight, ${pending} waiting). Raise pool.maxConnections or pool.maxStreamsPerConnection, or call less at once`,
        snapshot,
        context,
      );
    }
  }
}

function unsent(call: FailedCall): string {
  return `${about(call)} ${call.executedInPart ? 'was executed in part, its next step was not sent' : 'was not sent'}`;
}

function fate({ processed }: AttemptFailure): string {
  return processed === 'no' ? 'Milvus did not execute it' : 'Whether Milvus executed it is not known';
}

function about({ client, method }: Pick<FailedCall, 'client' | 'method'>): string {
  return `Milvus client "${client}": ${method}`;
}

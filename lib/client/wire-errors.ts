import type { RpcError } from '../endpoint/rpc.js';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import {
  MilvusAuthenticationError,
  MilvusConnectionError,
  MilvusDeadlineExceededError,
  MilvusOutcomeUnknownError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import type { MilvusError } from '../errors/milvus-error.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { GrpcCode, grpcCodeName } from '../transport/grpc-status.js';
import { deadlineError, endedError } from './end-errors.js';
import { about, contextOf, effort, type FailedCall } from './failed-call.js';
import { fromGrpcStatus } from './server-errors.js';

/** What leaves a call whose RPC was sent, or nearly, and got no message for an answer. */
export function fromAttempt(
  error: RpcError,
  authority: string,
  attempt: AttemptFailure,
  call: FailedCall,
): MilvusError {
  const context = contextOf(call, { grpcCode: attempt.code, cause: error });
  const where = `${about(call)}: ${error.rpc} to ${authority}`;
  const { code, origin, notGrpc } = attempt;
  if (code === GrpcCode.UNAUTHENTICATED) {
    const remedy = call.asksCredentials
      ? 'Check what its `credentials` function gives'
      : 'Check `username` and `password`, or `token`';
    const message = `${where}: Milvus refused the credentials (${attempt.message}). ${remedy}`;
    return new MilvusAuthenticationError(message, context);
  }
  const doubtful = call.mayRun && call.outcomeUnknown && !call.repeatable;
  if (notGrpc && code !== GrpcCode.UNAVAILABLE && !doubtful)
    return new MilvusUnavailableError(`${where}: ${attempt.message}. Check \`address\``, context);
  if (origin === 'caller') {
    if (code === GrpcCode.DEADLINE_EXCEEDED) return deadlineError(call, error);
    if (code === GrpcCode.CANCELLED) return endedError(call, error);
    return new MilvusConfigurationError(`${about(call)} was not sent: ${attempt.message}`, context);
  }
  const fate =
    attempt.processed === 'no' ? 'Milvus did not execute it' : 'Whether Milvus executed it is not known';
  if (code === GrpcCode.DEADLINE_EXCEEDED) {
    const message = `${where}: Milvus itself ran out of time (${attempt.message}). ${fate}`;
    return new MilvusDeadlineExceededError(message, context);
  }
  const unavailable = origin === 'server' && (code === GrpcCode.UNAVAILABLE || code === GrpcCode.CANCELLED);
  const said = origin === 'transport' ? attempt.message : `${grpcCodeName(code)}: ${attempt.message}`;
  const reason = attempt.message ? ` (${attempt.message})` : '';
  const what = unavailable ? `Milvus is not available${reason}` : said;
  if (doubtful) return outcomeUnknown(`${where}: ${what}`, error, call);
  if (unavailable || origin === 'transport') {
    const message = `${where}: ${what}${effort(call)}. ${fate}`;
    return attempt.unreadable && code === GrpcCode.RESOURCE_EXHAUSTED
      ? new MilvusConnectionError(message, context)
      : new MilvusUnavailableError(message, context);
  }
  return fromGrpcStatus(`${where}: ${what}${remedies[code] ?? ''}`, error, call);
}

const remedies: Readonly<Record<number, string>> = {
  [GrpcCode.UNIMPLEMENTED]: '. This server is too old for it, or not Milvus',
  [GrpcCode.PERMISSION_DENIED]: '. Grant the privilege to a role of this user',
};

/** There was nothing to identify the caller by. */
export function noCredentialsError(error: RpcError, call: FailedCall): MilvusAuthenticationError {
  const { details, cause } = error;
  const what = call.executedInPart ? `its ${error.rpc} was not sent` : 'it was not sent';
  const message = `${about(call)} failed, ${what}: ${details}`;
  return new MilvusAuthenticationError(
    message,
    contextOf(call, { cause: cause ?? error, hope: 'transient' }),
  );
}

/** Others were wanted; those there are stay. */
export function notRefreshedError(
  error: Error,
  call: Pick<FailedCall, 'client' | 'method'>,
): MilvusAuthenticationError {
  const { message, cause = error } = error;
  return new MilvusAuthenticationError(`${about(call)} failed: ${message}`, contextOf(call, { cause }));
}

/** A write that may not be sent twice is lost somewhere between here and Milvus, or on its way back. */
export function outcomeUnknown(what: string, error: RpcError, call: FailedCall): MilvusOutcomeUnknownError {
  const message = `${what}. Whether Milvus executed it is not known, and it was not sent again because that could do it twice. ${advice[error.rpc] ?? OTHER_ADVICE}`;
  return new MilvusOutcomeUnknownError(message, contextOf(call, { grpcCode: error.code, cause: error }));
}

/** What is safe to do next. */
const advice: Readonly<Record<string, string>> = {
  Insert:
    'Look for the rows when Milvus has had time to finish it, and insert what is missing; an upsert() of rows with primary keys of your own can be repeated at any time',
  Upsert:
    'Rows with primary keys of your own can be upserted again: with({ idempotent: true }) does that by itself',
  Delete:
    'Delete again if nobody can have inserted such rows meanwhile: with({ idempotent: true }) does that by itself',
};
const OTHER_ADVICE = 'Look whether it has taken effect before you repeat it';

import { RpcError } from '../endpoint/rpc.js';
import { setbackOfFailure, setbackOfStatus } from '../endpoint/setback.js';
import { MilvusOutcomeUnknownError, MilvusUnavailableError } from '../errors/connection-errors.js';
import { MilvusRateLimitError, MilvusServerError } from '../errors/server-error.js';
import { PoolFailure } from '../pool/pool-failure.js';
import type { Setback } from '../resilience/setback.js';
import { ConnectError } from '../transport/connect-error.js';

/** Whether what failed with this error may succeed a moment later, without anybody changing anything. */
export function hopeAfter(error: unknown): Setback['hope'] {
  if (error instanceof MilvusRateLimitError) return 'rate-limited';
  if (error instanceof MilvusServerError) return hopeAfterRefusal(error);
  if (error instanceof MilvusOutcomeUnknownError) return 'transient';
  if (error instanceof MilvusUnavailableError) return hopeBehind(error.cause);
  return error instanceof RpcError ? hopeBehind(error) : 'none';
}

function hopeAfterRefusal({ errorCode, errorName, reason, retriable }: MilvusServerError): Setback['hope'] {
  if (errorCode === undefined) return 'none';
  return setbackOfStatus({ code: errorCode, error_code: errorName, reason, retriable }, '', {}).hope;
}

function hopeBehind(cause: unknown): Setback['hope'] {
  if (cause instanceof ConnectError) return cause.permanent ? 'none' : 'transient';
  if (cause instanceof PoolFailure) return hopeAfterWaiting(cause);
  if (!(cause instanceof RpcError)) return 'none';
  const { failure } = cause;
  if (failure.at === 'wire') return setbackOfFailure(failure.attempt).hope;
  return failure.at === 'pool' ? hopeAfterWaiting(failure.pool) : 'none';
}

/** A full line is no reason to stand in it again. */
function hopeAfterWaiting({ reason, connectError }: PoolFailure): Setback['hope'] {
  return reason === 'unreachable' && !connectError?.permanent ? 'transient' : 'none';
}

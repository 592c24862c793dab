import { RpcError } from '../endpoint/rpc.js';
import { hopeOf, MilvusError } from '../errors/milvus-error.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { Setback } from '../resilience/setback.js';

/** Whether what failed with this error may succeed a moment later, without anybody changing anything. */
export function hopeAfter(error: unknown): Setback['hope'] {
  if (error instanceof MilvusError) return error[hopeOf] ?? 'none';
  if (!(error instanceof RpcError)) return 'none';
  const { delivered, failure } = error;
  return failure.at === 'pool' ? hopeAfterWaiting(failure.pool) : (delivered?.hope ?? 'none');
}

/** A full line is no reason to stand in it again. */
export function hopeAfterWaiting({ reason, connectError }: PoolFailure): Setback['hope'] {
  return reason === 'unreachable' && !connectError?.permanent ? 'transient' : 'none';
}

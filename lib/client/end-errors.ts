import { RpcError } from '../endpoint/rpc.js';
import {
  MilvusAbortedError,
  MilvusClosedError,
  type MilvusConnectionError,
  MilvusDeadlineExceededError,
} from '../errors/connection-errors.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { GrpcCode } from '../transport/grpc-status.js';
import { about, contextOf, EXECUTE, effort, type FailedCall } from './failed-call.js';
import { fromPool } from './pool-errors.js';

type EndedCall = Omit<FailedCall, 'limit'>;

/** The caller's own signal ended the call. */
export function abortedError(call: EndedCall, cause: unknown): MilvusAbortedError {
  const message = `${about(call)} was aborted by its signal. ${fate(call)}`;
  return new MilvusAbortedError(message, contextOf(call, { cause }));
}

/** Its call ended before it did, for whatever reason. */
export function endedError(call: EndedCall, cause: unknown): MilvusAbortedError {
  const message = `${about(call)} was cancelled. ${fate(call)}`;
  return new MilvusAbortedError(message, contextOf(call, { cause }));
}

/** The client is at its drain limit, and ended the call. */
export function cancelledError(call: EndedCall): MilvusClosedError {
  const message = `${about(call)} was cancelled: it did not end within the drain limit (shutdown.drainTimeoutMs). ${fate(call)}`;
  return new MilvusClosedError(message, contextOf(call));
}

/**
 * The whole-call deadline passed.
 *
 * @param unsent why the call waited for a connection, if it did
 */
export function timeoutError(call: FailedCall, unsent?: PoolFailure): MilvusConnectionError {
  // What it waited for says more than that the time is up.
  return unsent ? fromPool(unsent, call, 'own') : deadlineError(call);
}

/** The deadline as the plain SDK tells it; the cause says more. */
export function plainTimeoutError(cause: MilvusConnectionError, { method, limit }: FailedCall): RpcError {
  const details = `Deadline exceeded after ${limit.timeoutMs / 1_000}s`;
  return new RpcError(method, GrpcCode.DEADLINE_EXCEEDED, details, { at: 'call' }, { cause });
}

/** @param cause the RPC that ran out of time, if it was not the whole call */
export function deadlineError(call: FailedCall, cause?: RpcError): MilvusDeadlineExceededError {
  const { timeoutMs, setBy, wholeMs = timeoutMs } = call.rpcLimit ?? call.limit;
  const what = call.rpcLimit && cause ? `${about(call)}: its ${cause.rpc}` : about(call);
  const message = `${what} did not end within its ${Math.round(wholeMs)} ms${effort(call)}${waited(call)}. ${fate(call)}. Raise ${setBy}`;
  return new MilvusDeadlineExceededError(
    message,
    contextOf(call, { grpcCode: GrpcCode.DEADLINE_EXCEEDED, cause }),
  );
}

function waited({ waitsFor }: EndedCall): string {
  return waitsFor ? `: it waited for ${waitsFor}` : '';
}

function fate({ method, mayRun, attempts }: EndedCall): string {
  if (method === EXECUTE) return mayRun ? 'Milvus may still execute a part of it' : 'It sent nothing';
  if (mayRun) return 'Milvus may still execute it';
  return attempts ? 'Milvus did not execute it' : 'It was not sent';
}

import type { Delivered } from '../endpoint/rpc.js';
import type { MilvusErrorContext } from '../errors/milvus-error.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { NoRetry } from '../resilience/retry-schedule.js';
import type { Setback } from '../resilience/setback.js';
import type { CallLimit } from './call-limits.js';

/** What stands for the method in the errors of what is no method of the SDK. */
export const ACQUIRE = 'pool.acquire';
export const RECONNECT = 'pool.reconnect';
export const EXECUTE = 'execute';
export const REFRESH = 'refreshCredentials';

/** The call that failed, for its error. */
export interface FailedCall {
  client: string;
  method: string;
  limit: CallLimit;
  /** Of one RPC of it, when that was sooner than the call's. */
  rpcLimit?: CallLimit;
  /** Whether RPCs of it were sent before the one that failed. */
  executedInPart?: boolean;
  /** Whether one of them was to change something. */
  wrote?: boolean;
  /** How often the RPC that failed was sent. */
  attempts?: number;
  /** Why it was not sent once more, though it may be. */
  stoppedBy?: NoRetry;
  /** Milvus may have executed it, or may still do so. */
  mayRun?: boolean;
  /** As that, and it is to change something. */
  outcomeUnknown?: boolean;
  /** Whether executing it twice does no harm. */
  repeatable?: boolean;
  /** Whether what its last attempt met may pass. */
  hope?: Setback['hope'];
  /** A function gives its credentials. */
  asksCredentials?: boolean;
  /** What it waited for besides Milvus. */
  waitsFor?: string;
  /** It could not be sent once more, for want of a connection. */
  noConnection?: PoolFailure;
}

/** How every message begins. */
export function about({ client, method }: Pick<FailedCall, 'client' | 'method'>): string {
  return `Milvus client "${client}": ${method}`;
}

/** The call, with what came of sending the RPC that failed. */
export function withDelivered(call: FailedCall, delivered: Delivered | undefined): FailedCall {
  if (!delivered) return call;
  const { uncertain: mayRun, writes, ...rest } = delivered;
  return { ...call, ...rest, mayRun, outcomeUnknown: call.outcomeUnknown || (mayRun && writes) };
}

/** What every error of a call tells. */
export function contextOf(
  { client, method, attempts, outcomeUnknown, hope }: Omit<FailedCall, 'limit'>,
  more: Pick<MilvusErrorContext, 'grpcCode' | 'cause' | 'hope'> = {},
): MilvusErrorContext {
  return { client, method, ...(attempts && { attempts }), outcomeUnknown, hope, ...more };
}

/** How often it was tried, and why not once more; begins with a full stop, or is empty. */
export function effort({ attempts = 0, stoppedBy, noConnection }: FailedCall): string {
  const tried = attempts > 1 ? `. It was sent ${attempts} times` : '';
  if (noConnection) return `${tried}. There was no connection to send it again${whyNone(noConnection)}`;
  if (stoppedBy === 'budget') return `${tried}. Not again, because the retry budget is used up (retryBudget)`;
  if (stoppedBy === 'circuit') return `${tried}. Not again, because the circuit breaker is open`;
  if (stoppedBy === 'time') return `${tried}. There was no time to send it again`;
  return tried;
}

function whyNone({ reason, connectError }: PoolFailure): string {
  if (reason === 'unreachable' && connectError) return `: ${connectError.message}. ${connectError.remedy}`;
  if (reason === 'lease-lost') return ': that of its lease is closed. Release the lease and acquire another';
  return reason === 'closed' ? ': the client is closing' : '';
}

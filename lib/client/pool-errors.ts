import {
  MilvusCircuitOpenError,
  MilvusClosedError,
  type MilvusConnectionError,
  MilvusConnectTimeoutError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import { ACQUIRE, about, contextOf, type FailedCall, RECONNECT } from './failed-call.js';
import { hopeAfterWaiting } from './hope.js';

/** The client is draining or closed, and admits no calls. */
export function refusedError(call: Omit<FailedCall, 'limit'>): MilvusClosedError {
  const message = `${about(call)} was refused: the client is shutting down or closed`;
  return new MilvusClosedError(message, contextOf(call));
}

/** Milvus has failed too many calls in a row. */
export function circuitOpenError(
  call: Omit<FailedCall, 'limit'>,
  retryAfterMs: number,
  cause?: unknown,
): MilvusCircuitOpenError {
  const when = `in ${Math.round(retryAfterMs)} ms, or as soon as Milvus answers`;
  const message = `${unsent(call)}: the circuit breaker is open, because Milvus has failed too many calls in a row (circuitBreaker.failureThreshold). It is tried again ${when}`;
  return new MilvusCircuitOpenError(message, retryAfterMs, contextOf(call, { cause }));
}

/** The call was made through a lease that has ended. */
export function releasedError(call: Omit<FailedCall, 'limit'>): MilvusClosedError {
  const message = `${about(call)} was refused: its lease has been released. Acquire another with pool.acquire()`;
  return new MilvusClosedError(message, contextOf(call));
}

/** The call was made on the client of an `execute()` that has ended. */
export function overError(call: Omit<FailedCall, 'limit'>): MilvusClosedError {
  const message = `${about(call)} was refused: the execute() that gave this client has ended`;
  return new MilvusClosedError(message, contextOf(call));
}

/**
 * What leaves a call that found no connection, or a caller who found no lease.
 *
 * @param by the limit that ended the wait
 */
export function fromPool(failure: PoolFailure, call: FailedCall, by = failure.waited): MilvusConnectionError {
  const { timeoutMs, setBy } = call.rpcLimit ?? call.limit;
  const waited = by === 'own' ? `its ${Math.round(timeoutMs)} ms (${setBy})` : by;
  const { reason, snapshot, connectError } = failure;
  const context = contextOf(call, { cause: connectError ?? failure, hope: hopeAfterWaiting(failure) });
  switch (reason) {
    case 'closed':
      return refusedError(call);
    case 'unreachable': {
      const why = connectError
        ? `${connectError.message}. ${connectError.remedy}`
        : `no connection could be made${waited ? ` within ${waited}` : ''}`;
      const message = `${unsent(call)}: ${why}`;
      return connectError?.failure === 'timeout'
        ? new MilvusConnectTimeoutError(message, context)
        : new MilvusUnavailableError(message, context);
    }
    case 'lease-lost':
      return new MilvusUnavailableError(
        `${unsent(call)}: the connection of this lease is closed. Release the lease and acquire another`,
        context,
      );
    case 'released':
      return releasedError(call);
    case 'line-full':
    case 'no-room':
    case 'no-lease':
    case 'lease-full':
      return new MilvusPoolExhaustedError(
        `${unsent(call)}: ${explainExhausted(failure, waited)}`,
        snapshot,
        context,
      );
  }
}

/** What is full, for how long the call waited, and what helps. */
function explainExhausted({ reason, snapshot }: PoolFailure, waited: string | undefined): string {
  const { size, maxConnections, inFlight, pending, leases, maxLeases } = snapshot;
  const limit = waited ? `it waited for ${waited}` : 'pool.maxPending wait already';
  switch (reason) {
    case 'no-lease':
      return `no lease became free, and ${limit} (${leases} of ${maxLeases} held, ${pending} waiting). Release leases sooner (pool.leaks() lists those held for long), or raise pool.maxLeases`;
    case 'lease-full':
      return `no room on the connection of this lease, and ${limit} (${pending} waiting). Call less at once through it, or raise pool.maxStreamsPerConnection`;
    default:
      return `no room on any connection, and ${limit} (${size} of ${maxConnections} connections, ${inFlight} in flight, ${pending} waiting). Raise pool.maxConnections or pool.maxStreamsPerConnection, or call less at once`;
  }
}

function unsent(call: Omit<FailedCall, 'limit'>): string {
  if (call.method === ACQUIRE || call.method === RECONNECT) return `${about(call)} failed`;
  if (call.attempts) {
    const fate = call.outcomeUnknown ? ' (whether Milvus executed it is not known)' : '';
    return `${about(call)} failed${fate}, and could not be sent again`;
  }
  return `${about(call)} ${call.executedInPart ? 'was executed in part, its next step was not sent' : 'was not sent'}`;
}

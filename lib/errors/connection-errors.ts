import { MilvusError, type MilvusErrorContext } from './milvus-error.js';

/** The call got no answer of Milvus: the way there failed, or was closed, or took too long. */
export class MilvusConnectionError extends MilvusError {
  override readonly code: string = 'MILVUS_CONNECTION';
}

/** One or more clients could not start with the application. Everything that was opened is closed again. */
export class MilvusInitializationError extends MilvusConnectionError {
  override readonly code = 'MILVUS_INITIALIZATION';
}

/** Milvus refused the credentials (gRPC 16), before it executed anything; or the `credentials` function gave none. */
export class MilvusAuthenticationError extends MilvusConnectionError {
  override readonly code = 'MILVUS_AUTHENTICATION';
}

/** The whole-call deadline passed: `timeouts`, the request's own `timeout`, or `with({ timeoutMs })`. */
export class MilvusDeadlineExceededError extends MilvusConnectionError {
  override readonly code = 'MILVUS_DEADLINE_EXCEEDED';
}

/** The caller's own signal ended the call; `cause` is the signal's reason. */
export class MilvusAbortedError extends MilvusConnectionError {
  override readonly code = 'MILVUS_ABORTED';
}

/** The client is draining or closed. */
export class MilvusClosedError extends MilvusConnectionError {
  override readonly code = 'MILVUS_CLOSED';
}

/** Milvus cannot be reached, or the connection broke under the call. The place for a fallback. */
export class MilvusUnavailableError extends MilvusConnectionError {
  override readonly code: string = 'MILVUS_UNAVAILABLE';
}

/**
 * Milvus has failed several calls in a row, so this one was not sent: it failed at once. Calls go through again as soon as Milvus
 * answers.
 */
export class MilvusCircuitOpenError extends MilvusUnavailableError {
  override readonly code = 'MILVUS_CIRCUIT_OPEN';

  constructor(
    message: string,
    /** When it is worth trying again at the latest, in ms. */
    readonly retryAfterMs: number,
    context: MilvusErrorContext,
  ) {
    super(message, context);
  }
}

/**
 * Every run of an `execute()` failed, and failed in a way that another one might not have.
 */
export class MilvusRetriesExhaustedError extends MilvusUnavailableError {
  override readonly code = 'MILVUS_RETRIES_EXHAUSTED';

  constructor(
    message: string,
    /** What each run failed with, in their order. */
    readonly errors: readonly unknown[],
    context: MilvusErrorContext,
  ) {
    super(message, context);
  }
}

/** No connection could be established within `pool.connectTimeoutMs`. */
export class MilvusConnectTimeoutError extends MilvusUnavailableError {
  override readonly code = 'MILVUS_CONNECT_TIMEOUT';
}

/**
 * A write was sent and its answer is lost: nobody can know whether Milvus executed it. It was not sent again, because that could
 * do it twice. `outcomeUnknown` is `true`, as with other errors (a deadline, an abort) that leave it open.
 */
export class MilvusOutcomeUnknownError extends MilvusConnectionError {
  override readonly code = 'MILVUS_OUTCOME_UNKNOWN';
}

/** What the pool looked like when a call found no room, or a caller no lease. */
export interface MilvusPoolSnapshot {
  /** Open connections that calls share. */
  size: number;
  /** Most of them that the pool may open. */
  maxConnections: number;
  /** Calls on the wire. */
  inFlight: number;
  /** Those that wait in the same line. */
  pending: number;
  /** Leases held. */
  leases: number;
  /** Most leases at once. */
  maxLeases: number;
}

/**
 * The pool had no room, or no lease: its waiting line was full, or `pool.acquireTimeoutMs` or the call's own limit passed
 * while it waited. Nothing was sent, or nothing again.
 */
export class MilvusPoolExhaustedError extends MilvusConnectionError {
  override readonly code = 'MILVUS_POOL_EXHAUSTED';

  constructor(
    message: string,
    readonly snapshot: MilvusPoolSnapshot,
    context: MilvusErrorContext,
  ) {
    super(message, context);
  }
}

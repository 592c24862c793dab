import type { Verdict } from '../pool/trust.js';
import type { CircuitVerdict } from '../resilience/circuit-breaker.js';
import type { Deadline } from '../resilience/deadline.js';
import type { AttemptOutcome } from '../transport/attempt.js';
import { GrpcCode } from '../transport/grpc-status.js';

/**
 * What an attempt says of its connection.
 *
 * @param deadline of its call
 */
export function verdictOf(outcome: AttemptOutcome, deadline: Deadline): Verdict {
  if (outcome.ok) return 'answered';
  const { origin, code, silent, unanswered, connectionDied, unreadable } = outcome;
  if (origin === 'server') return isAway(code) ? 'failed' : 'answered';
  if (origin === 'transport') {
    if (connectionDied) return 'nothing';
    // An answer that is too large, or cannot be read, is the answer of a server that works.
    return unreadable ? 'answered' : 'failed';
  }
  // A caller who gives up before the time is up says nothing of the connection. Node fires timers up to 1 ms early.
  const timedOut = code === GrpcCode.DEADLINE_EXCEEDED || deadline.remainingMs() < 2;
  if (!timedOut) return 'nothing';
  if (silent) return 'silent';
  return unanswered ? 'unanswered' : 'nothing';
}

/** Whoever sends these has no Milvus to ask. */
function isAway(code: number): boolean {
  return code === GrpcCode.UNAVAILABLE || code === GrpcCode.CANCELLED;
}

/** Silence that is shorter, in ms, says more of the caller's limit than of the server. */
const TELLING_SILENCE_MS = 1_000;

/**
 * What the last attempt of an RPC says of the server.
 *
 * @param tookMs the attempt
 * @param hangs asks whether the server does not answer even when asked how it is
 */
export function circuitVerdictOf(
  outcome: AttemptOutcome,
  verdict: Verdict,
  tookMs: number,
  hangs: () => boolean,
): CircuitVerdict {
  switch (verdict) {
    case 'answered':
      return 'success';
    case 'failed':
      return 'failure';
    case 'silent':
      return tookMs < TELLING_SILENCE_MS ? 'nothing' : 'failure';
    case 'unanswered':
      // Its transport lives. A request may take long without anything being wrong.
      return tookMs >= TELLING_SILENCE_MS && hangs() ? 'failure' : 'nothing';
    case 'nothing':
      return !outcome.ok && outcome.connectionDied ? 'failure' : 'nothing';
  }
}

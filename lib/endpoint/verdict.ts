import type { Verdict } from '../pool/trust.js';
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
  const { origin, code, silent, connectionDied, unreadable } = outcome;
  if (origin === 'server') return code === GrpcCode.UNAVAILABLE ? 'failed' : 'answered';
  if (origin === 'transport') {
    if (connectionDied) return 'nothing';
    // An answer that is too large, or cannot be read, is the answer of a server that works.
    return unreadable ? 'answered' : 'failed';
  }
  // A caller who gives up before the time is up says nothing of the connection. Node fires timers up to 1 ms early.
  const timedOut = code === GrpcCode.DEADLINE_EXCEEDED || deadline.remainingMs() < 2;
  return silent && timedOut ? 'silent' : 'nothing';
}

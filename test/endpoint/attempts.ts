import type { AttemptAnswer, AttemptFailure } from '../../lib/transport/attempt.js';

/** An attempt that Milvus ended with UNAVAILABLE, but for what is given. */
export function failed(more: Partial<AttemptFailure> = {}): AttemptFailure {
  return {
    ok: false,
    code: 14,
    message: 'gone',
    processed: 'unknown',
    connectionDied: false,
    origin: 'server',
    silent: false,
    unanswered: false,
    notGrpc: false,
    unreadable: false,
    ...more,
  };
}

/** An answer as `jsonMethod()` reads it. */
export function answered(answer: object = {}): AttemptAnswer {
  return { ok: true, message: Buffer.from(JSON.stringify(answer)) };
}

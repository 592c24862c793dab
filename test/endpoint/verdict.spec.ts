import { describe, expect, it } from '@jest/globals';
import { circuitVerdictOf, verdictOf } from '../../lib/endpoint/verdict.js';
import type { Verdict } from '../../lib/pool/trust.js';
import type { CircuitVerdict } from '../../lib/resilience/circuit-breaker.js';
import { Deadline } from '../../lib/resilience/deadline.js';
import type { AttemptFailure } from '../../lib/transport/attempt.js';
import { FakeClock } from '../support/fake-clock.js';
import { failed } from './attempts.js';

const clock = new FakeClock();
const inTime = new Deadline(1_000, clock);
const almostOver = new Deadline(1.9, clock);

describe('what an attempt says of its connection', () => {
  it('is good where there is an answer', () => {
    expect(verdictOf({ ok: true, message: Buffer.alloc(0) }, inTime)).toBe('answered');
  });

  it.each<[string, string, Partial<AttemptFailure>]>([
    ['answered', 'Milvus refused', { code: 7 }],
    ['answered', 'Milvus ran out of time', { code: 4 }],
    ['answered', 'something else than Milvus answered', { code: 12, notGrpc: true }],
    ['failed', 'Milvus is not available', { code: 14 }],
    ['failed', 'a proxy has no Milvus', { code: 14, notGrpc: true }],
    ['failed', 'the stream was reset', { origin: 'transport', code: 13, resetCode: 2 }],
    ['failed', 'the stream was refused', { origin: 'transport', processed: 'no', resetCode: 7 }],
    ['nothing', 'the connection broke', { origin: 'transport', connectionDied: true }],
    ['nothing', 'it broke in a reset', { origin: 'transport', connectionDied: true, unreadable: true }],
    ['answered', 'the answer is too large', { origin: 'transport', code: 8, unreadable: true }],
    ['answered', 'the answer cannot be read', { origin: 'transport', code: 13, unreadable: true }],
    ['failed', 'the server is under stress', { origin: 'transport', code: 8, resetCode: 11 }],
    ['silent', 'its time was up and nothing came', { origin: 'caller', code: 4, silent: true }],
    ['silent', 'as that, and so no answer', { origin: 'caller', code: 4, silent: true, unanswered: true }],
    [
      'unanswered',
      'its time was up and no call was answered',
      { origin: 'caller', code: 4, unanswered: true },
    ],
    ['nothing', 'its time was up while others were answered', { origin: 'caller', code: 4 }],
    [
      'nothing',
      'its caller gave up and no call was answered',
      { origin: 'caller', code: 1, unanswered: true },
    ],
    ['nothing', 'its caller gave up', { origin: 'caller', code: 1, silent: true }],
    ['nothing', 'it could not be sent', { origin: 'caller', code: 3, processed: 'no', silent: true }],
  ])('is "%s" where %s', (verdict, _what, attempt) => {
    expect(verdictOf(failed(attempt), inTime)).toBe(verdict);
  });

  it.each([
    [{ silent: true }, 'silent'],
    [{ unanswered: true }, 'unanswered'],
    [{}, 'nothing'],
  ])(
    'is that of its deadline where that cancelled it, within what timers are early: %j',
    (attempt, verdict) => {
      expect(verdictOf(failed({ origin: 'caller', code: 1, ...attempt }), almostOver)).toBe(verdict);
    },
  );
});

describe('what the last attempt of an RPC says of the server', () => {
  it.each<[CircuitVerdict, string, Verdict, number, Partial<AttemptFailure>]>([
    ['success', 'Milvus refused', 'answered', 5, { code: 7 }],
    ['failure', 'Milvus is not available', 'failed', 5, {}],
    ['failure', 'the stream was reset', 'failed', 5, { origin: 'transport', resetCode: 2 }],
    ['failure', 'nothing came for a second', 'silent', 1_000, { origin: 'caller', code: 4, silent: true }],
    ['nothing', 'nothing came for less', 'silent', 999, { origin: 'caller', code: 4, silent: true }],
    ['failure', 'its connection broke', 'nothing', 5, { origin: 'transport', connectionDied: true }],
    ['nothing', 'its caller gave up', 'nothing', 5_000, { origin: 'caller', code: 1 }],
    [
      'nothing',
      'its time was up while others were answered',
      'nothing',
      5_000,
      { origin: 'caller', code: 4 },
    ],
  ])('is "%s" where %s', (expected, _what, verdict, tookMs, attempt) => {
    expect(circuitVerdictOf(failed(attempt), verdict, tookMs, () => false)).toBe(expected);
  });

  it('is a success where there is an answer', () => {
    const answer = { ok: true as const, message: Buffer.alloc(0) };
    expect(circuitVerdictOf(answer, 'answered', 5, () => true)).toBe('success');
  });

  it.each<[CircuitVerdict, boolean, number]>([
    ['failure', true, 1_000],
    ['nothing', true, 999],
    ['nothing', false, 60_000],
  ])('is "%s" where no call was answered on a connection that lives, it hangs: %j, %i ms', (...row) => {
    const [expected, hangs, tookMs] = row;
    const attempt = failed({ origin: 'caller', code: 4, unanswered: true });
    expect(circuitVerdictOf(attempt, 'unanswered', tookMs, () => hangs)).toBe(expected);
  });

  it('is asked of the server only where it matters, and only after a while', () => {
    const hangs = () => {
      throw new Error('asked');
    };
    for (const verdict of ['failed', 'silent', 'nothing', 'answered'] as const) {
      circuitVerdictOf(failed({ origin: 'caller' }), verdict, 5_000, hangs);
    }
    circuitVerdictOf(failed({ origin: 'caller' }), 'unanswered', 999, hangs);
  });
});

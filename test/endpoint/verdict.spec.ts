import { describe, expect, it } from '@jest/globals';
import { verdictOf } from '../../lib/endpoint/verdict.js';
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
    ['nothing', 'its time was up while others were answered', { origin: 'caller', code: 4 }],
    ['nothing', 'its caller gave up', { origin: 'caller', code: 1, silent: true }],
    ['nothing', 'it could not be sent', { origin: 'caller', code: 3, processed: 'no', silent: true }],
  ])('is "%s" where %s', (verdict, _what, attempt) => {
    expect(verdictOf(failed(attempt), inTime)).toBe(verdict);
  });

  it.each([
    [true, 'silent'],
    [false, 'nothing'],
  ])(
    'is that of its deadline where that cancelled it, within what timers are early: silent %j',
    (silent, verdict) => {
      expect(verdictOf(failed({ origin: 'caller', code: 1, silent }), almostOver)).toBe(verdict);
    },
  );
});

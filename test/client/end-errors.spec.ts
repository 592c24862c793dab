import { describe, expect, it } from '@jest/globals';
import {
  abortedError,
  cancelledError,
  deadlineError,
  plainTimeoutError,
  timeoutError,
} from '../../lib/client/end-errors.js';
import { EXECUTE } from '../../lib/client/failed-call.js';
import {
  MilvusAbortedError,
  MilvusClosedError,
  MilvusDeadlineExceededError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../../lib/index.js';
import { failedCall, poolFailure, rpcError, snapshot, wire } from './failed-rpcs.js';

/** How far the call came, and what its error says of that. */
const fates = [
  [{}, /It was not sent/],
  [{ attempts: 2, mayRun: false }, /Milvus did not execute it/],
  [{ mayRun: true }, /Milvus may still execute it/],
  [{ attempts: 1, mayRun: true }, /Milvus may still execute it/],
] as const;

describe('the error of an abort', () => {
  it.each(fates)('says whether Milvus may execute the call (%j), and why it ended', (so, message) => {
    const reason = new Error('the user went away');
    const error = abortedError({ ...failedCall, ...so }, reason);

    expect(error.constructor).toBe(MilvusAbortedError);
    expect(error).toMatchObject({
      code: 'MILVUS_ABORTED',
      client: 'search',
      method: 'insert',
      cause: reason,
    });
    expect(error.message).toMatch(/^Milvus client "search": insert was aborted by its signal\. /);
    expect(error.message).toMatch(new RegExp(`${message.source}$`));
  });
});

describe('the error of a call that its client cancelled', () => {
  it.each(fates)('says whether Milvus may execute it (%j), and which limit ended it', (so, message) => {
    const error = cancelledError({ ...failedCall, ...so });

    expect(error.constructor).toBe(MilvusClosedError);
    expect(error.message).toMatch(/insert was cancelled: .*shutdown\.drainTimeoutMs\)\. /);
    expect(error.message).toMatch(new RegExp(`${message.source}$`));
  });
});

describe('the error of a deadline', () => {
  it.each(fates)('says how long, how far it came (%j), and what to do', (so, message) => {
    const error = timeoutError({ ...failedCall, ...so });

    expect(error.constructor).toBe(MilvusDeadlineExceededError);
    expect(error).toMatchObject({ client: 'search', method: 'insert', grpcCode: 4 });
    expect(error.message).toMatch(/^Milvus client "search": insert did not end within its 1000 ms\. /);
    expect(error.message).toMatch(new RegExp(`${message.source}\\. Raise \`timeouts\\.writeMs\`$`));
  });

  it('says how often it was sent', () => {
    const error = timeoutError({ ...failedCall, attempts: 3, mayRun: true });

    expect(error.message).toContain('within its 1000 ms. It was sent 3 times. Milvus may still execute it');
    expect(error.attempts).toBe(3);
  });

  it('names the RPC that was to end sooner than the call', () => {
    const rpcLimit = { timeoutMs: 50, setBy: '`timeouts.readMs`' };
    const cause = rpcError(wire({ code: 4, origin: 'caller' }), undefined, 'GetLoadState');
    const error = deadlineError({ ...failedCall, rpcLimit }, cause);

    expect(error.message).toMatch(
      /insert: its GetLoadState did not end within its 50 ms\. .*`timeouts\.readMs`$/,
    );
    expect(error.cause).toBe(cause);
  });

  it('tells the whole time of an execute() that ended it, not what was left of that', () => {
    const limit = { timeoutMs: 35, setBy: '`execute({ timeoutMs })`', wholeMs: 40 };
    expect(timeoutError({ ...failedCall, limit }).message).toMatch(/within its 40 ms\. .*Raise `execute\(/);
  });

  it.each([
    [true, /: execute did not end within its 1000 ms\. Milvus may still execute a part of it\. Raise/],
    [false, /: execute did not end within its 1000 ms\. It sent nothing\. Raise/],
  ])('of an execute() speaks of its parts: %j', (mayRun, message) => {
    expect(timeoutError({ ...failedCall, method: EXECUTE, mayRun }).message).toMatch(message);
  });

  it('says that nothing was sent, when the call still waited for room', () => {
    const error = timeoutError(failedCall, poolFailure('no-room'));

    expect(error).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(error).toMatchObject({ snapshot });
    expect(error.message).toMatch(
      /was not sent: no room on any connection, and it waited for its 1000 ms \(`timeouts\.writeMs`\)/,
    );
  });

  it('is the one of an unreachable server, when that is what the call waited for', () => {
    const error = timeoutError(failedCall, poolFailure('unreachable', 'unreachable'));

    expect(error).toBeInstanceOf(MilvusUnavailableError);
    expect(error.message).toMatch(/was not sent: milvus:19530: it failed\. Check the host/);
  });

  it('counts whole milliseconds', () => {
    const limit = { timeoutMs: 499.7, setBy: '' };
    expect(timeoutError({ ...failedCall, limit }).message).toContain('within its 500 ms');
  });

  it('is code 4 for who wants what the plain SDK gives', () => {
    const error = plainTimeoutError(timeoutError(failedCall), failedCall);

    expect(error).toMatchObject({ code: 4, message: '4 DEADLINE_EXCEEDED: Deadline exceeded after 1s' });
    expect(error.cause).toBeInstanceOf(MilvusDeadlineExceededError);
  });
});

describe('the error of whatever ended a write', () => {
  it.each([
    ['an abort', abortedError({ ...failedCall, outcomeUnknown: true }, undefined)],
    ['the drain', cancelledError({ ...failedCall, outcomeUnknown: true })],
    ['the deadline', timeoutError({ ...failedCall, outcomeUnknown: true })],
    [
      'the deadline, in the line',
      timeoutError({ ...failedCall, outcomeUnknown: true }, poolFailure('no-room')),
    ],
  ])('says that nobody knows what came of it: %s', (_what, error) => {
    expect(error.outcomeUnknown).toBe(true);
  });

  it.each([
    ['an abort', abortedError(failedCall, undefined)],
    ['the drain', cancelledError(failedCall)],
    ['the deadline', timeoutError(failedCall)],
  ])('says nothing of the kind where all is known: %s', (_what, error) => {
    expect(error).not.toHaveProperty('outcomeUnknown');
  });
});

import { describe, expect, it } from '@jest/globals';
import { withDelivered } from '../../lib/client/failed-call.js';
import { fromAttempt, outcomeUnknown } from '../../lib/client/wire-errors.js';
import type { Delivered } from '../../lib/endpoint/rpc.js';
import {
  MilvusAbortedError,
  MilvusAuthenticationError,
  MilvusConfigurationError,
  MilvusConnectionError,
  MilvusDeadlineExceededError,
  MilvusOutcomeUnknownError,
  MilvusServerError,
  MilvusUnavailableError,
} from '../../lib/index.js';
import type { AttemptFailure } from '../../lib/transport/attempt.js';
import { delivered, expectErrorOf, failedAttempt, failedCall, rpcError } from './failed-rpcs.js';

/** For a call of one RPC. */
function errorOf(attempt: Partial<AttemptFailure>, came?: Delivered, rpc = 'Insert') {
  const failure = failedAttempt(attempt);
  const error = rpcError({ at: 'wire', authority: 'milvus:19530', attempt: failure }, came, rpc);
  return fromAttempt(error, 'milvus:19530', failure, withDelivered(failedCall, came));
}

const harmless = delivered({ writes: false, repeatable: true });

describe('the error of an attempt without an answer', () => {
  it.each<[string, Partial<AttemptFailure>, new (...args: never[]) => Error, string, RegExp]>([
    [
      'another protocol',
      { code: 12, notGrpc: true, message: 'HTTP 404' },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /Insert to milvus:19530: HTTP 404\. Check `address`$/,
    ],
    [
      'a proxy that has no Milvus',
      { notGrpc: true, message: 'HTTP 503' },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /Milvus is not available \(HTTP 503\)\. Whether Milvus executed it is not known$/,
    ],
    [
      'its deadline',
      { code: 4, origin: 'caller' },
      MilvusDeadlineExceededError,
      'MILVUS_DEADLINE_EXCEEDED',
      /did not end within its 1000 ms\. Milvus may still execute it\. Raise `timeouts\.writeMs`$/,
    ],
    [
      'a request that Node would not send',
      { code: 3, origin: 'caller', processed: 'no', message: 'the request cannot be sent: the metadata' },
      MilvusConfigurationError,
      'MILVUS_CONFIGURATION',
      /insert was not sent: the request cannot be sent: the metadata$/,
    ],
    [
      "the server's own deadline",
      { code: 4 },
      MilvusDeadlineExceededError,
      'MILVUS_DEADLINE_EXCEEDED',
      /Milvus itself ran out of time \(gone\)\. Whether Milvus executed it is not known$/,
    ],
    [
      'wrong credentials',
      { code: 16, message: 'auth check failure' },
      MilvusAuthenticationError,
      'MILVUS_AUTHENTICATION',
      /auth check failure.*Check `username` and `password`, or `token`$/,
    ],
    [
      'a broken connection',
      { origin: 'transport', message: 'the connection broke', connectionDied: true },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /Insert to milvus:19530: the connection broke\. Whether Milvus executed it is not known$/,
    ],
    [
      'a broken connection, unsent',
      { origin: 'transport', processed: 'no' },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /: gone\. Milvus did not execute it$/,
    ],
    [
      'a reset stream',
      { origin: 'transport', code: 13, resetCode: 2 },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /: gone\. Whether Milvus executed it is not known$/,
    ],
    [
      'UNAVAILABLE',
      { message: 'proxy not ready' },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /Milvus is not available \(proxy not ready\)\. Whether Milvus executed it is not known$/,
    ],
    [
      'UNAVAILABLE without a word',
      { message: '' },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /milvus:19530: Milvus is not available\. Whether/,
    ],
    [
      'a server that cancels',
      { code: 1, message: 'context canceled' },
      MilvusUnavailableError,
      'MILVUS_UNAVAILABLE',
      /Milvus is not available \(context canceled\)\. Whether/,
    ],
    [
      'the end of what it was a part of',
      { code: 1, origin: 'caller' },
      MilvusAbortedError,
      'MILVUS_ABORTED',
      /insert was cancelled\. Milvus may still execute it$/,
    ],
    [
      'a refusal',
      { code: 7, message: 'no privilege' },
      MilvusServerError,
      'MILVUS_SERVER',
      /: PERMISSION_DENIED: no privilege\. Grant the privilege to a role of this user$/,
    ],
    [
      'UNIMPLEMENTED',
      { code: 12, message: 'unknown method' },
      MilvusServerError,
      'MILVUS_SERVER',
      /: UNIMPLEMENTED: unknown method\. This server is too old for it, or not Milvus$/,
    ],
    [
      'RESOURCE_EXHAUSTED',
      { code: 8, message: 'rate limit' },
      MilvusServerError,
      'MILVUS_SERVER',
      /: RESOURCE_EXHAUSTED: rate limit$/,
    ],
    [
      'an answer that is too large',
      { code: 8, origin: 'transport', unreadable: true, message: 'larger than pool.maxReceiveBytes (9)' },
      MilvusConnectionError,
      'MILVUS_CONNECTION',
      /: larger than pool\.maxReceiveBytes \(9\)\. Whether Milvus executed it is not known$/,
    ],
    [
      'a code that gRPC does not know',
      { code: 99, message: '?' },
      MilvusServerError,
      'MILVUS_SERVER',
      /: CODE_99: \?$/,
    ],
  ])('for %s', (_what, attempt, type, code, message) => {
    expectErrorOf(errorOf(attempt, harmless), type, code, message);
  });

  it('keeps the gRPC code and the cause', () => {
    const error = errorOf({ code: 7, message: 'no' }) as MilvusServerError;

    expect(error).toMatchObject({ grpcCode: 7, errorName: 'PERMISSION_DENIED', reason: 'details' });
    expect(error.cause).toMatchObject({ rpc: 'Insert', code: 7 });
    expect(error.errorCode).toBeUndefined();
  });

  it('says how often it was sent, and tells it', () => {
    const error = errorOf({}, { ...harmless, attempts: 3 });

    expect(error.message).toMatch(/\(gone\)\. It was sent 3 times\. Whether Milvus/);
    expect(error.attempts).toBe(3);
    expect(errorOf({}, harmless).message).not.toMatch(/It was sent/);
  });

  it.each([
    [
      'budget',
      /It was sent 2 times\. Not again, because the retry budget is used up \(retryBudget\)\. Whether/,
    ],
    ['time', /It was sent 2 times\. There was no time to send it again\. Whether/],
    ['attempts', /It was sent 2 times\. Whether/],
  ] as const)('says why it was not sent once more: %s', (stoppedBy, message) => {
    expect(errorOf({}, { ...harmless, attempts: 2, stoppedBy }).message).toMatch(message);
  });

  it('leaves no doubt over what reads', () => {
    expect(errorOf({}, harmless).outcomeUnknown).toBeUndefined();
  });
});

describe('the error of a write whose answer is lost', () => {
  const lost: Array<[string, Partial<AttemptFailure>]> = [
    ['with its connection', { origin: 'transport', connectionDied: true }],
    ['with its stream', { origin: 'transport', code: 13, resetCode: 2 }],
    ['in the size limit', { origin: 'transport', code: 8, unreadable: true }],
    ['in a server that is not available', {}],
    ['in a server that fails inside', { code: 13 }],
    ['in a server that gave it up', { code: 10 }],
    ['in a server that cancelled it', { code: 1 }],
    ['in a proxy that had handed it on', { code: 2, notGrpc: true }],
  ];

  it.each(lost)('%s says that nobody knows, and is for no fallback', (_where, attempt) => {
    const error = errorOf(attempt, delivered());

    const what = /not known, and it was not sent again because that could do it twice\. \S/;
    expectErrorOf(error, MilvusOutcomeUnknownError, 'MILVUS_OUTCOME_UNKNOWN', what);
    expect(error).toMatchObject({ outcomeUnknown: true, attempts: 1, grpcCode: failedAttempt(attempt).code });
    expect(error).not.toBeInstanceOf(MilvusUnavailableError);
    expect(error.cause).toMatchObject({ rpc: 'Insert' });
  });

  it.each(lost)('%s is another one where executing it twice does no harm', (_where, attempt) => {
    const error = errorOf(attempt, delivered({ repeatable: true }));

    expect(error).not.toBeInstanceOf(MilvusOutcomeUnknownError);
    expect(error.outcomeUnknown).toBe(true);
  });

  it.each(lost)('%s is another one where it is proven that nothing came of it', (_where, attempt) => {
    const error = errorOf(attempt, delivered({ uncertain: false }));

    expect(error).not.toBeInstanceOf(MilvusOutcomeUnknownError);
    expect(error.outcomeUnknown).toBeUndefined();
  });

  it.each([
    [
      'Insert',
      /Look for the rows when Milvus has had time .*insert what is missing; an upsert\(\) .* can be repeated/,
    ],
    ['Upsert', /can be upserted again: with\(\{ idempotent: true \}\) does that by itself$/],
    [
      'Delete',
      /Delete again if nobody can have inserted such rows meanwhile: with\(\{ idempotent: true \}\)/,
    ],
    ['DropCollection', /Look whether it has taken effect before you repeat it$/],
  ])('of %s says what is safe to do next', (rpc, advice) => {
    expect(errorOf({}, delivered(), rpc).message).toMatch(advice);
  });

  it.each([
    ['the deadline', { code: 4, origin: 'caller' } as const, MilvusDeadlineExceededError],
    ["the server's deadline", { code: 4 }, MilvusDeadlineExceededError],
  ])('stays that of %s, and says that nobody knows', (_what, attempt, type) => {
    const error = errorOf(attempt, delivered());

    expect(error).toBeInstanceOf(type);
    expect(error.outcomeUnknown).toBe(true);
  });

  it('is made for whoever has the words', () => {
    const error = outcomeUnknown('it broke', rpcError({ at: 'answer' }), failedCall);
    expect(error.message).toMatch(/^it broke\. Whether Milvus executed it is not known/);
  });
});

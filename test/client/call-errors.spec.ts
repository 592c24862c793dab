import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { fromCallFailure, toMilvusError, toPlainError } from '../../lib/client/call-errors.js';
import { RpcError, type RpcFailure } from '../../lib/endpoint/rpc.js';
import {
  MilvusCircuitOpenError,
  MilvusClosedError,
  MilvusDeadlineExceededError,
  MilvusOutcomeUnknownError,
  MilvusPoolExhaustedError,
  MilvusRequestError,
  MilvusServerError,
  MilvusUnavailableError,
} from '../../lib/index.js';
import { delivered, expectErrorOf, failedCall, pool, rpcError, snapshot, wire } from './failed-rpcs.js';

const broke = { origin: 'transport', connectionDied: true, message: 'it broke' } as const;

const failures: Array<[what: string, failure: RpcFailure, forFallback: boolean]> = [
  ['another protocol', wire({ code: 12, notGrpc: true }), true],
  ['its deadline', wire({ code: 4, origin: 'caller' }), false],
  ["the server's own deadline", wire({ code: 4 }), false],
  ['wrong credentials', wire({ code: 16 }), false],
  ['a broken connection', wire(broke), true],
  ['a broken connection, unsent', wire({ ...broke, processed: 'no' }), true],
  ['a reset stream', wire({ origin: 'transport', code: 13, resetCode: 2 }), true],
  ['UNAVAILABLE', wire(), true],
  ['a refusal', wire({ code: 7 }), false],
  ['UNIMPLEMENTED', wire({ code: 12 }), false],
  ['RESOURCE_EXHAUSTED', wire({ code: 8 }), false],
  ['an answer that is too large', wire({ code: 8, origin: 'transport', unreadable: true }), false],
  ['a code that gRPC does not know', wire({ code: 99 }), false],
  ['a full line', pool('line-full'), false],
  ['no room', pool('no-room'), false],
  ['no lease', pool('no-lease'), false],
  ['no room on the connection of a lease', pool('lease-full'), false],
  ['a lease that lost its connection', pool('lease-lost'), true],
  ['a lease that was released', pool('released'), false],
  ['nobody there', pool('unreachable', 'unreachable'), true],
  ['a connect timeout', pool('unreachable', 'timeout'), true],
  ['no connection and no reason', pool('unreachable'), true],
  ['a closed pool', pool('closed'), false],
  ['a turn that came too late', { at: 'line' }, false],
  ['an answer that cannot be read', { at: 'answer' }, false],
  ['a request that fits no message', { at: 'request' }, false],
  ['the end of its call', { at: 'call' }, false],
  ['an open circuit', { at: 'circuit', retryAfterMs: 5 }, true],
];

const errorOf = (failure: RpcFailure, came = delivered({ writes: false, repeatable: true })) =>
  toMilvusError(rpcError(failure, came), undefined, failedCall);

describe('the error of a call', () => {
  it.each(failures)('is for a fallback exactly when Milvus cannot be reached: %s', (_what, failure, is) => {
    const error = errorOf(failure);

    expect(error instanceof MilvusUnavailableError).toBe(is);
    expectErrorOf(error, error.constructor as never, error.code, /./);
  });

  it('prints without a stack of internals that could hold a secret', () => {
    for (const [, failure] of failures) {
      expect(inspect(errorOf(failure), { depth: 10 })).not.toMatch(/authorization/i);
    }
  });

  it('is the one that says why, from wherever it came', () => {
    const { constructor: type } = errorOf(wire());
    const already = errorOf(wire());

    expect(type).toBe(MilvusUnavailableError);
    expect(toMilvusError(already, undefined, failedCall)).toBe(already);
    expect(errorOf(pool('no-room'))).toMatchObject({ snapshot });
    expectErrorOf(errorOf({ at: 'call' }), MilvusClosedError, 'MILVUS_CLOSED', /insert was refused: /);
  });

  it("is a request error for the SDK's own refusal", () => {
    const thrown = new TypeError('bad vector.');
    const error = toMilvusError(thrown, undefined, failedCall);

    expectErrorOf(error, MilvusRequestError, 'MILVUS_REQUEST', /insert: bad vector$/);
    expect(error.cause).toBe(thrown);
    expect(toMilvusError(thrown, undefined, { ...failedCall, wrote: true }).message).toMatch(
      /bad vector\. Milvus executed a part of it$/,
    );
  });

  it('is a request error for a request that fits no message', () => {
    const cause = new Error('.ids: object expected');
    const error = new RpcError('Insert', 13, 'serialization failure', { at: 'request' }, { cause });

    const converted = toMilvusError(error, undefined, failedCall);
    expectErrorOf(converted, MilvusRequestError, 'MILVUS_REQUEST', /insert: serialization failure$/);
    expect(converted.cause).toBe(cause);
  });

  it.each<[string, unknown]>([
    ['an Error', new Error('ErrorCode: 100')],
    ['a TypeError that hides it', new TypeError("Cannot read properties of undefined (reading 'fields')")],
    ['no Error at all', { status: { error_code: 'CollectionNotExists' } }],
    ['nothing', undefined],
  ])("is Milvus's refusal, when the SDK makes of it %s", (_what, thrown) => {
    const status = { code: 100, error_code: 'CollectionNotExists', reason: 'no c', retriable: true };
    const error = toMilvusError(thrown, { rpc: 'DescribeCollection', status }, failedCall);

    expect(error).toBeInstanceOf(MilvusServerError);
    expect(error).toMatchObject({ errorCode: 100, reason: 'no c', retriable: true });
    expect(error.cause).toBe(thrown instanceof Error ? thrown : undefined);
  });
});

describe('the error of a failure that the SDK swallowed', () => {
  it('tells what came of sending the RPC that Milvus refused', () => {
    const came = delivered({ attempts: 3 });
    const error = fromCallFailure({ rpc: 'Insert', status: { code: 5 }, delivered: came }, failedCall);

    expect(error).toMatchObject({ errorCode: 5, attempts: 3, outcomeUnknown: true });
  });

  it('is that of the RPC which has no answer', () => {
    const error = fromCallFailure({ rpc: 'Insert', error: rpcError(wire(), delivered()) }, failedCall);

    expect(error).toBeInstanceOf(MilvusOutcomeUnknownError);
    expect(error.outcomeUnknown).toBe(true);
  });
});

describe('the error of an answer that cannot be read', () => {
  it('is one of the server, where nothing can have been changed', () => {
    const error = errorOf({ at: 'answer' }, delivered({ writes: false }));

    expectErrorOf(error, MilvusServerError, 'MILVUS_SERVER', /insert: Insert: details$/);
    expect(error.cause).toBeInstanceOf(RpcError);
  });

  it('is one of the server, where executing it twice does no harm', () => {
    expect(errorOf({ at: 'answer' }, delivered({ repeatable: true })).constructor).toBe(MilvusServerError);
  });

  it('says of a write that nobody knows', () => {
    const message = /Insert: details\. Whether Milvus executed it is not known/;
    const error = errorOf({ at: 'answer' }, delivered());
    expectErrorOf(error, MilvusOutcomeUnknownError, 'MILVUS_OUTCOME_UNKNOWN', message);
  });
});

describe('the error of an RPC whose turn came too late', () => {
  it('is that of its deadline, and says that it was not sent', () => {
    const error = toMilvusError(rpcError({ at: 'line' }), undefined, failedCall);
    const message = /insert did not end within its 1000 ms\. It was not sent\. Raise `timeouts\.writeMs`$/;
    expectErrorOf(error, MilvusDeadlineExceededError, 'MILVUS_DEADLINE_EXCEEDED', message);
  });
});

describe('what a caller gets who wants what the plain SDK gives', () => {
  const plain = (failure: RpcFailure) => {
    const error = new RpcError('Insert', 14, 'details', failure);
    return { error, given: toPlainError(error, failedCall) };
  };

  it.each<[string, RpcFailure]>([
    ['an RPC that failed', wire()],
    ['an answer that cannot be read', { at: 'answer' }],
    ['a request that fits no message', { at: 'request' }],
    ['a server that cannot be reached', pool('unreachable', 'unreachable')],
  ])('is the error of the RPC, for %s', (_what, failure) => {
    const { error, given } = plain(failure);

    expect(given).toBe(error);
    expect(given).toMatchObject({ code: 14, details: 'details', message: '14 UNAVAILABLE: details' });
  });

  it.each<[string, RpcFailure, unknown]>([
    ['no room', pool('no-room'), MilvusPoolExhaustedError],
    ['a full line', pool('line-full'), MilvusPoolExhaustedError],
    ['a closed client', pool('closed'), MilvusClosedError],
    ['the end of its call', { at: 'call' }, MilvusClosedError],
    ['an open circuit', { at: 'circuit', retryAfterMs: 5 }, MilvusCircuitOpenError],
  ])('is ours, for %s', (_what, failure, type) => {
    expect(plain(failure).given).toBeInstanceOf(type as never);
  });

  it('is whatever the SDK threw', () => {
    const thrown = { status: { code: 100 } };
    expect(toPlainError(thrown, failedCall)).toBe(thrown);
  });

  it('is never an error of another kind for the same deadline', () => {
    expect(errorOf(wire({ code: 4, origin: 'caller' }))).toBeInstanceOf(MilvusDeadlineExceededError);
  });
});

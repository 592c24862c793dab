import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import {
  abortedError,
  cancelledError,
  fromCallFailure,
  plainTimeoutError,
  timeoutError,
  toMilvusError,
  toPlainError,
} from '../../lib/client/call-errors.js';
import { refusedError } from '../../lib/client/pool-errors.js';
import type { ResponseStatus } from '../../lib/client/response-status.js';
import { RpcError, type RpcFailure } from '../../lib/endpoint/rpc.js';
import {
  MilvusAbortedError,
  MilvusAuthenticationError,
  MilvusClosedError,
  MilvusConnectionError,
  MilvusConnectTimeoutError,
  MilvusDeadlineExceededError,
  MilvusError,
  MilvusPoolExhaustedError,
  MilvusRateLimitError,
  MilvusRequestError,
  MilvusServerError,
  MilvusUnavailableError,
} from '../../lib/index.js';
import { PoolFailure, type PoolFailureReason } from '../../lib/pool/pool-failure.js';
import type { AttemptFailure } from '../../lib/transport/attempt.js';
import { ConnectError, type ConnectFailure } from '../../lib/transport/connect-error.js';

const call = {
  client: 'search',
  method: 'insert',
  limit: { timeoutMs: 1_000, setBy: '`timeouts.writeMs`' },
};
const snapshot = { size: 4, maxConnections: 4, inFlight: 400, pending: 7, leases: 0, maxLeases: 5 };

function wire(attempt: Partial<AttemptFailure>): RpcFailure {
  return {
    at: 'wire',
    authority: 'milvus:19530',
    attempt: {
      ok: false,
      code: 14,
      message: 'gone',
      processed: 'unknown',
      connectionDied: false,
      origin: 'server',
      silent: false,
      notGrpc: false,
      ...attempt,
    },
  };
}

function pool(reason: PoolFailureReason, connect?: ConnectFailure): RpcFailure {
  const connectError = connect && new ConnectError('milvus:19530: it failed', connect, 'Check the host');
  const waited = reason === 'line-full' ? undefined : 'own';
  return { at: 'pool', pool: new PoolFailure(reason, snapshot, connectError, waited) };
}

function errorOf(failure: RpcFailure): MilvusError {
  const code = failure.at === 'wire' ? failure.attempt.code : 14;
  return toMilvusError(new RpcError('Insert', code, 'details', failure), undefined, call);
}

type Row = [what: string, failure: RpcFailure, type: unknown, code: string, message: RegExp];

const rows: Row[] = [
  [
    'another protocol',
    wire({ code: 12, notGrpc: true, message: 'HTTP 404' }),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /HTTP 404.*Check `address`/,
  ],
  [
    'its deadline',
    wire({ code: 4, origin: 'caller' }),
    MilvusDeadlineExceededError,
    'MILVUS_DEADLINE_EXCEEDED',
    /1000 ms.*`timeouts.writeMs`/,
  ],
  [
    "the server's own deadline",
    wire({ code: 4 }),
    MilvusDeadlineExceededError,
    'MILVUS_DEADLINE_EXCEEDED',
    /Milvus itself ran out of time \(gone\).*not known/,
  ],
  [
    'wrong credentials',
    wire({ code: 16, message: 'auth check failure' }),
    MilvusAuthenticationError,
    'MILVUS_AUTHENTICATION',
    /auth check failure.*Check `username` and `password`, or `token`/,
  ],
  [
    'a broken connection',
    wire({ origin: 'transport', message: 'the connection broke', connectionDied: true }),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /the connection broke.*not known/,
  ],
  [
    'a broken connection, unsent',
    wire({ origin: 'transport', processed: 'no' }),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /Milvus did not execute it/,
  ],
  [
    'a reset stream',
    wire({ origin: 'transport', code: 13, resetCode: 2 }),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /not known/,
  ],
  [
    'UNAVAILABLE',
    wire({ message: 'proxy not ready' }),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /not available \(proxy not ready\).*not known/,
  ],
  [
    'a refusal',
    wire({ code: 7, message: 'no privilege' }),
    MilvusServerError,
    'MILVUS_SERVER',
    /PERMISSION_DENIED: no privilege/,
  ],
  [
    'UNIMPLEMENTED',
    wire({ code: 12, message: 'unknown method' }),
    MilvusServerError,
    'MILVUS_SERVER',
    /UNIMPLEMENTED: unknown method.*too old/,
  ],
  [
    'RESOURCE_EXHAUSTED',
    wire({ code: 8, message: 'rate limit' }),
    MilvusServerError,
    'MILVUS_SERVER',
    /RESOURCE_EXHAUSTED: rate limit/,
  ],
  [
    'an answer that is too large',
    wire({ code: 8, origin: 'transport', message: 'larger than pool.maxReceiveBytes (9)' }),
    MilvusConnectionError,
    'MILVUS_CONNECTION',
    /pool\.maxReceiveBytes.*not known/,
  ],
  [
    'a code that gRPC does not know',
    wire({ code: 99, message: '?' }),
    MilvusServerError,
    'MILVUS_SERVER',
    /CODE_99/,
  ],
  [
    'a full line',
    pool('line-full'),
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /pool\.maxPending .*4 of 4 connections, 400 in flight, 7 waiting.*Raise/,
  ],
  [
    'no room',
    pool('no-room'),
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /no room on any connection, and it waited for its 1000 ms \(`timeouts\.writeMs`\) .*4 of 4 connections.*Raise/,
  ],
  [
    'no lease',
    pool('no-lease'),
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /no lease became free, and it waited for its 1000 ms \(`timeouts\.writeMs`\) \(0 of 5 held, 7 waiting\)\. Release .*pool\.leaks\(\).*pool\.maxLeases/,
  ],
  [
    'no room on the connection of a lease',
    pool('lease-full'),
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /no room on the connection of this lease, and it waited for its 1000 ms \(`timeouts\.writeMs`\) \(7 waiting\)\. .*pool\.maxStreamsPerConnection/,
  ],
  [
    'a lease that lost its connection',
    pool('lease-lost'),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /was not sent: the connection of this lease is closed\. Release the lease and acquire another/,
  ],
  [
    'a lease that was released',
    pool('released'),
    MilvusClosedError,
    'MILVUS_CLOSED',
    /was refused: its lease has been released\. Acquire another/,
  ],
  [
    'nobody there',
    pool('unreachable', 'unreachable'),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /was not sent: milvus:19530: it failed\. Check the host/,
  ],
  [
    'a connect timeout',
    pool('unreachable', 'timeout'),
    MilvusConnectTimeoutError,
    'MILVUS_CONNECT_TIMEOUT',
    /was not sent.*Check the host/,
  ],
  [
    'no connection and no reason',
    pool('unreachable'),
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /was not sent: no connection/,
  ],
  [
    'a closed pool',
    pool('closed'),
    MilvusClosedError,
    'MILVUS_CLOSED',
    /was refused: the client is shutting down or closed/,
  ],
  ['the end of its call', { at: 'call' }, MilvusClosedError, 'MILVUS_CLOSED', /refused/],
];

describe('the error of a call', () => {
  it.each(rows)('for %s', (_what, failure, type, code, message) => {
    const error = errorOf(failure);

    expect(error).toBeInstanceOf(type);
    expect(error).toBeInstanceOf(MilvusError);
    expect(error.constructor).toBe(type);
    expect(error.name).toBe((type as { name: string }).name);
    expect(error).toMatchObject({ code, client: 'search', method: 'insert' });
    expect(error.message).toMatch(/^Milvus client "search": insert/);
    expect(error.message).toMatch(message);
    expect(error.message).not.toMatch(/undefined|\[object/);
  });

  it('keeps the gRPC code and the cause', () => {
    const error = errorOf(wire({ code: 7, message: 'no' })) as MilvusServerError;

    expect(error).toMatchObject({ grpcCode: 7, errorName: 'PERMISSION_DENIED', reason: 'details' });
    expect(error.cause).toBeInstanceOf(RpcError);
    expect(error.errorCode).toBeUndefined();
  });

  it('keeps the failure to connect as its cause', () => {
    expect(errorOf(pool('unreachable', 'tls')).cause).toBeInstanceOf(ConnectError);
  });

  it('is for a fallback exactly when Milvus cannot be reached', () => {
    const forFallback = rows
      .filter(([, failure]) => errorOf(failure) instanceof MilvusUnavailableError)
      .map(([what]) => what);

    expect(forFallback).toEqual([
      'another protocol',
      'a broken connection',
      'a broken connection, unsent',
      'a reset stream',
      'UNAVAILABLE',
      'a lease that lost its connection',
      'nobody there',
      'a connect timeout',
      'no connection and no reason',
    ]);
  });

  it('has the snapshot of the full pool', () => {
    expect(errorOf(pool('no-room'))).toMatchObject({ snapshot });
  });

  it("is a request error for the SDK's own refusal", () => {
    const thrown = new TypeError('bad vector');
    const error = toMilvusError(thrown, undefined, call);

    expect(error).toBeInstanceOf(MilvusRequestError);
    expect(error).toMatchObject({
      client: 'search',
      method: 'insert',
      code: 'MILVUS_REQUEST',
      cause: thrown,
    });
    expect(error.message).toBe('Milvus client "search": insert: bad vector');
    expect(toMilvusError(thrown, undefined, { ...call, wrote: true }).message).toMatch(
      /Milvus executed a part of it$/,
    );
  });

  it.each<[string, unknown]>([
    ['an Error', new Error('ErrorCode: 100')],
    ['a TypeError that hides it', new TypeError("Cannot read properties of undefined (reading 'fields')")],
    ['no Error at all', { status: { error_code: 'CollectionNotExists' } }],
    ['nothing', undefined],
  ])("is Milvus's refusal, when the SDK makes of it %s", (_what, thrown) => {
    const status = { code: 100, error_code: 'CollectionNotExists', reason: 'no c', retriable: true };
    const error = toMilvusError(thrown, { rpc: 'DescribeCollection', status }, call);

    expect(error).toBeInstanceOf(MilvusServerError);
    expect(error).toMatchObject({
      code: 'MILVUS_SERVER',
      client: 'search',
      method: 'insert',
      errorCode: 100,
      errorName: 'CollectionNotExists',
      reason: 'no c',
      retriable: true,
    });
    expect(error.message).toBe(
      'Milvus client "search": insert: DescribeCollection: Milvus answered CollectionNotExists (code 100): no c',
    );
  });
});

describe('the error of a refusal', () => {
  const refused = (status: ResponseStatus) =>
    fromCallFailure({ rpc: 'Insert', status }, call) as MilvusServerError;

  it.each<[string, ResponseStatus]>([
    ['its code', { code: 8, error_code: 'UnexpectedError' }],
    ['its code alone', { code: 8, error_code: 'Success' }],
    ['its name alone', { code: 0, error_code: 'RateLimit' }],
  ])('is one of the rate limit by %s', (_what, status) => {
    const error = refused(status);

    expect(error).toBeInstanceOf(MilvusRateLimitError);
    expect(error).toBeInstanceOf(MilvusServerError);
    expect(error.code).toBe('MILVUS_RATE_LIMIT');
  });

  it('of an old server has its name alone', () => {
    const error = refused({ code: 0, error_code: 'CollectionNotExists', reason: 'no c' });

    expect(error).toMatchObject({ errorName: 'CollectionNotExists', retriable: false });
    expect(error.errorCode).toBeUndefined();
    expect(error.message).toBe('Milvus client "search": insert: Milvus answered CollectionNotExists: no c');
  });

  it('that Milvus calls Success is not quoted as such', () => {
    const error = refused({ code: 1100, error_code: 'Success', reason: 'no such field' });

    expect(error).toMatchObject({ errorCode: 1100, reason: 'no such field' });
    expect(error.message).not.toMatch(/Success/);
    expect(error.errorName).not.toBe('Success');
  });
});

describe('what a caller gets who wants what the plain SDK gives', () => {
  const plain = (failure: RpcFailure, code = 14) => {
    const error = new RpcError('Insert', code, 'details', failure);
    return { error, given: toPlainError(error, call) };
  };

  it.each<[string, RpcFailure]>([
    ['an RPC that failed', wire({})],
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
  ])('is ours, for %s', (_what, failure, type) => {
    expect(plain(failure).given).toBeInstanceOf(type as never);
  });

  it('is whatever the SDK threw', () => {
    const thrown = { status: { code: 100 } };
    expect(toPlainError(thrown, call)).toBe(thrown);
  });

  it('is code 4 for the deadline', () => {
    const error = plainTimeoutError(timeoutError(call), call);

    expect(error).toMatchObject({ code: 4, message: '4 DEADLINE_EXCEEDED: Deadline exceeded after 1s' });
    expect(error.cause).toBeInstanceOf(MilvusDeadlineExceededError);
  });
});

describe('the error of an abort', () => {
  it.each([
    [true, /insert was aborted by its signal\. Milvus may still execute it$/],
    [false, /insert was aborted by its signal\. It was not sent$/],
  ])('says whether the call was sent (%j), and why', (sent, message) => {
    const reason = new Error('the user went away');
    const error = abortedError(call, reason, sent);

    expect(error).toBeInstanceOf(MilvusAbortedError);
    expect(error).toMatchObject({
      code: 'MILVUS_ABORTED',
      client: 'search',
      method: 'insert',
      cause: reason,
    });
    expect(error.message).toMatch(message);
  });
});

describe('the error of a deadline', () => {
  const failureOf = (failure: RpcFailure) => (failure.at === 'pool' ? failure.pool : undefined);

  it('says how long, and what to do', () => {
    const error = timeoutError(call);

    expect(error).toMatchObject({ client: 'search', method: 'insert', grpcCode: 4 });
    expect(error).toBeInstanceOf(MilvusDeadlineExceededError);
    expect(error.message).toBe(
      'Milvus client "search": insert did not end within its 1000 ms. Milvus may still execute it. Raise `timeouts.writeMs`',
    );
  });

  it('says that nothing was sent, when the call still waited for room', () => {
    const error = timeoutError(call, failureOf(pool('no-room')));

    expect(error).toBeInstanceOf(MilvusPoolExhaustedError);
    expect(error).toMatchObject({ snapshot });
    expect(error.message).toMatch(
      /was not sent: no room on any connection, and it waited for its 1000 ms \(`timeouts\.writeMs`\)/,
    );
  });

  it('is the one of an unreachable server, when that is what the call waited for', () => {
    const error = timeoutError(call, failureOf(pool('unreachable', 'unreachable')));

    expect(error).toBeInstanceOf(MilvusUnavailableError);
    expect(error.message).toMatch(/was not sent: milvus:19530: it failed\. Check the host/);
  });

  it('counts whole milliseconds', () => {
    expect(timeoutError({ ...call, limit: { timeoutMs: 499.7, setBy: '' } }).message).toContain(
      'within its 500 ms',
    );
  });
});

describe('the error of a closed client', () => {
  it('says that the call was refused', () => {
    expect(refusedError(call).message).toMatch(/insert was refused: the client is shutting down or closed$/);
  });

  it.each([
    [true, /insert was cancelled: .*shutdown\.drainTimeoutMs.*may still execute it$/],
    [false, /insert was cancelled: .*shutdown\.drainTimeoutMs.*It was not sent$/],
  ])('says that the call was cancelled, and whether it was sent: %j', (sent, message) => {
    expect(cancelledError(call, sent).message).toMatch(message);
  });
});

describe('the error of a call of several steps', () => {
  it('does not say that it was not sent when only its last step was not', () => {
    const error = toMilvusError(new RpcError('CreateIndex', 14, 'no', pool('no-room')), undefined, {
      ...call,
      executedInPart: true,
    });

    expect((error as Error).message).toMatch(
      /insert was executed in part, its next step was not sent: no room/,
    );
  });
});

describe('every error', () => {
  it('prints without a stack of internals that could hold a secret', () => {
    for (const [, failure] of rows) {
      expect(inspect(errorOf(failure), { depth: 10 })).not.toMatch(/authorization/i);
    }
  });
});

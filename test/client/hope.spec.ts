import { describe, expect, it } from '@jest/globals';
import { fromCallFailure, toMilvusError } from '../../lib/client/call-errors.js';
import { timeoutError } from '../../lib/client/end-errors.js';
import { hopeAfter, hopeAfterWaiting } from '../../lib/client/hope.js';
import { fromPool } from '../../lib/client/pool-errors.js';
import type { RpcFailure } from '../../lib/endpoint/rpc.js';
import {
  MilvusAbortedError,
  MilvusClosedError,
  MilvusConfigurationError,
  MilvusRequestError,
  MilvusRetriesExhaustedError,
  MilvusUnavailableError,
} from '../../lib/index.js';
import type { PoolFailureReason } from '../../lib/pool/pool-failure.js';
import type { Setback } from '../../lib/resilience/setback.js';
import type { ConnectFailure } from '../../lib/transport/connect-error.js';
import { delivered, failedCall, pool, poolFailure, rpcError, wire } from './failed-rpcs.js';

const hopes: Setback['hope'][] = ['transient', 'rate-limited', 'transient-for-reads', 'none'];
const context = { client: 'search' };

describe('the hope after an RPC that failed', () => {
  const sent: Array<[string, RpcFailure]> = [
    ['a broken connection', wire({ origin: 'transport', connectionDied: true })],
    ['UNAVAILABLE', wire()],
    ['another protocol', wire({ code: 12, notGrpc: true })],
    ['a gRPC status', wire({ code: 13 })],
    ['an answer that is too large', wire({ origin: 'transport', code: 8, unreadable: true })],
    ['wrong credentials', wire({ code: 16 })],
  ];

  it.each(sent)('is that of its last attempt, in whatever error: %s', (_what, failure) => {
    for (const hope of hopes) {
      for (const uncertain of [true, false]) {
        const error = rpcError(failure, delivered({ hope, uncertain }));
        expect(hopeAfter(toMilvusError(error, undefined, failedCall))).toBe(hope);
        // As it leaves a client that gives what the plain SDK gives.
        expect(hopeAfter(error)).toBe(hope);
      }
    }
  });

  it.each(hopes)('is that of its last attempt, which Milvus refused: %s', hope => {
    const failure = { rpc: 'Insert', status: { code: 2 }, delivered: delivered({ hope }) };
    expect(hopeAfter(fromCallFailure(failure, failedCall))).toBe(hope);
  });

  it.each(['answer', 'request', 'call', 'line', 'circuit'] as const)(
    'is none where there was none: %s',
    at => {
      const error = rpcError(at === 'circuit' ? { at, retryAfterMs: 5 } : { at });
      const converted = toMilvusError(error, undefined, failedCall);
      expect([hopeAfter(error), hopeAfter(converted)]).toEqual(['none', 'none']);
    },
  );
});

describe('the hope after there was no connection', () => {
  it.each<[PoolFailureReason, ConnectFailure | undefined, string]>([
    ['unreachable', undefined, 'transient'],
    ['unreachable', 'unreachable', 'transient'],
    ['unreachable', 'timeout', 'transient'],
    ['unreachable', 'tls', 'none'],
    ['lease-lost', undefined, 'none'],
    ['released', undefined, 'none'],
    ['no-room', undefined, 'none'],
    ['line-full', undefined, 'none'],
    ['no-lease', undefined, 'none'],
    ['lease-full', undefined, 'none'],
    ['closed', undefined, 'none'],
  ])('%s (%s) is %s', (reason, connect, hope) => {
    expect(hopeAfterWaiting(poolFailure(reason, connect))).toBe(hope);
    expect(hopeAfter(fromPool(poolFailure(reason, connect), failedCall))).toBe(hope);
    expect(hopeAfter(rpcError(pool(reason, connect)))).toBe(hope);
  });
});

describe('the hope after anything else', () => {
  it.each<[string, unknown]>([
    ['an error of the caller', new Error('bug')],
    ['no error', 'bug'],
    ['nothing', undefined],
    ['an abort', new MilvusAbortedError('', context)],
    ['a closed client', new MilvusClosedError('', context)],
    ['a deadline', timeoutError(failedCall)],
    ['a wrong option', new MilvusConfigurationError('', context)],
    ['a wrong request', new MilvusRequestError('', context)],
    ['Milvus that is not available for a reason that nobody knows', new MilvusUnavailableError('', context)],
  ])('is none: %s', (_what, error) => {
    expect(hopeAfter(error)).toBe('none');
  });

  it('is none where another execute() has tried already', () => {
    const last = toMilvusError(rpcError(wire(), delivered({ hope: 'transient' })), undefined, failedCall);
    const error = new MilvusRetriesExhaustedError('', [last], { ...context, cause: last });
    expect([hopeAfter(last), hopeAfter(error)]).toEqual(['transient', 'none']);
  });

  it('stands in no log', () => {
    const error = toMilvusError(rpcError(wire(), delivered({ hope: 'transient' })), undefined, failedCall);
    expect(Object.keys(error)).not.toContain('hope');
    expect(
      Object.getOwnPropertySymbols(error).filter(key => ({}).propertyIsEnumerable.call(error, key)),
    ).toEqual([]);
  });
});

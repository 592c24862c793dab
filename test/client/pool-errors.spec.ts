import { describe, expect, it } from '@jest/globals';
import { ACQUIRE, type FailedCall, RECONNECT } from '../../lib/client/failed-call.js';
import {
  circuitOpenError,
  fromPool,
  overError,
  refusedError,
  releasedError,
} from '../../lib/client/pool-errors.js';
import {
  MilvusCircuitOpenError,
  MilvusClosedError,
  MilvusConnectTimeoutError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../../lib/index.js';
import { PoolFailure, type PoolFailureReason } from '../../lib/pool/pool-failure.js';
import { ConnectError, type ConnectFailure } from '../../lib/transport/connect-error.js';
import { expectErrorOf, failedCall, poolFailure, snapshot } from './failed-rpcs.js';

type Row = [
  what: string,
  reason: PoolFailureReason,
  connect: ConnectFailure | undefined,
  type: new (...args: never[]) => Error,
  code: string,
  message: RegExp,
];

const rows: Row[] = [
  [
    'a full line',
    'line-full',
    undefined,
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /was not sent: .*pool\.maxPending .*4 of 4 connections, 400 in flight, 7 waiting.*Raise/,
  ],
  [
    'no room',
    'no-room',
    undefined,
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /no room on any connection, and it waited for its 1000 ms \(`timeouts\.writeMs`\) .*4 of 4 connections.*Raise/,
  ],
  [
    'no lease',
    'no-lease',
    undefined,
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /no lease became free, and it waited for its 1000 ms \(`timeouts\.writeMs`\) \(0 of 5 held, 7 waiting\)\. Release .*pool\.leaks\(\).*pool\.maxLeases/,
  ],
  [
    'no room on the connection of a lease',
    'lease-full',
    undefined,
    MilvusPoolExhaustedError,
    'MILVUS_POOL_EXHAUSTED',
    /no room on the connection of this lease, and it waited for its 1000 ms \(`timeouts\.writeMs`\) \(7 waiting\)\. .*pool\.maxStreamsPerConnection/,
  ],
  [
    'a lease that lost its connection',
    'lease-lost',
    undefined,
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /was not sent: the connection of this lease is closed\. Release the lease and acquire another/,
  ],
  [
    'a lease that was released',
    'released',
    undefined,
    MilvusClosedError,
    'MILVUS_CLOSED',
    /was refused: its lease has been released\. Acquire another/,
  ],
  [
    'nobody there',
    'unreachable',
    'unreachable',
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /was not sent: milvus:19530: it failed\. Check the host/,
  ],
  [
    'a connect timeout',
    'unreachable',
    'timeout',
    MilvusConnectTimeoutError,
    'MILVUS_CONNECT_TIMEOUT',
    /was not sent.*Check the host/,
  ],
  [
    'no connection and no reason',
    'unreachable',
    undefined,
    MilvusUnavailableError,
    'MILVUS_UNAVAILABLE',
    /was not sent: no connection could be made within its 1000 ms/,
  ],
  [
    'a closed pool',
    'closed',
    undefined,
    MilvusClosedError,
    'MILVUS_CLOSED',
    /was refused: the client is shutting down or closed/,
  ],
];

const noRoomFor = (more: Partial<FailedCall>) =>
  fromPool(poolFailure('no-room'), { ...failedCall, ...more }).message;

describe('the error of a call that found no connection', () => {
  it.each(rows)('for %s', (_what, reason, connect, type, code, message) => {
    expectErrorOf(fromPool(poolFailure(reason, connect), failedCall), type, code, message);
  });

  it('keeps the failure to connect as its cause', () => {
    expect(fromPool(poolFailure('unreachable', 'tls'), failedCall).cause).toBeInstanceOf(ConnectError);
  });

  it('keeps the word of the pool as its cause, where there is no such failure', () => {
    expect(fromPool(poolFailure('unreachable'), failedCall).cause).toBeInstanceOf(PoolFailure);
  });

  it('has the snapshot of the full pool', () => {
    expect(fromPool(poolFailure('no-room'), failedCall)).toMatchObject({ snapshot });
  });

  it('does not say that it was not sent when only its last step was not', () => {
    expect(noRoomFor({ executedInPart: true })).toMatch(
      /insert was executed in part, its next step was not sent: no room/,
    );
  });

  it.each<[Partial<FailedCall>, RegExp]>([
    [{ attempts: 0 }, /insert was not sent: no room/],
    [{ attempts: 1 }, /insert failed, and could not be sent again: no room/],
    [
      { attempts: 2, outcomeUnknown: true },
      /insert failed \(whether Milvus executed it is not known\), and could not be sent again: no room/,
    ],
  ])('says whether it was sent before: %j', (more, message) => {
    expect(noRoomFor(more)).toMatch(message);
  });

  it('says that an attempt before may have been executed', () => {
    const after = { ...failedCall, attempts: 1, outcomeUnknown: true };
    expect(fromPool(poolFailure('no-room'), after)).toMatchObject({ outcomeUnknown: true, attempts: 1 });
  });

  it.each([ACQUIRE, RECONNECT])('does not speak of sending what is no call: %s', method => {
    const { message } = fromPool(poolFailure('no-lease'), { ...failedCall, method });
    expect(message).toMatch(/: pool\.\w+ failed: no lease became free/);
  });
});

describe('the error of a call that an open circuit let not through', () => {
  const errorOf = (more: Partial<FailedCall> = {}, retryAfterMs = 1_234.4) =>
    circuitOpenError({ ...failedCall, ...more }, retryAfterMs, more.attempts);

  it('names client and method, says why, and when it is worth another try', () => {
    const message =
      /insert was not sent: the circuit breaker is open, because Milvus has failed too many calls in a row \(circuitBreaker\.failureThreshold\)\. It is tried again in 1234 ms, or as soon as Milvus answers$/;
    expectErrorOf(errorOf(), MilvusCircuitOpenError, 'MILVUS_CIRCUIT_OPEN', message);
    expect(errorOf()).toMatchObject({ retryAfterMs: 1_234.4 });
    expect('cause' in errorOf()).toBe(false);
  });

  it('is one for a fallback', () => {
    expect(errorOf()).toBeInstanceOf(MilvusUnavailableError);
  });

  it.each<[Partial<FailedCall>, RegExp]>([
    [{ executedInPart: true }, /insert was executed in part, its next step was not sent: the circuit/],
    [{ method: RECONNECT }, /: pool\.reconnect failed: the circuit/],
  ])('says what became of the call: %j', (more, message) => {
    expect(errorOf(more).message).toMatch(message);
  });
});

describe('the error of a call that was refused', () => {
  it.each([
    ['a closed client', refusedError(failedCall), /the client is shutting down or closed$/],
    [
      'a released lease',
      releasedError(failedCall),
      /its lease has been released\. Acquire another with pool/,
    ],
    [
      'an execute() that has ended',
      overError(failedCall),
      /the execute\(\) that gave this client has ended$/,
    ],
  ])('says so for %s', (_what, error, message) => {
    expectErrorOf(error, MilvusClosedError, 'MILVUS_CLOSED', message);
    expect(error.message).toMatch(/^Milvus client "search": insert was refused: /);
  });
});

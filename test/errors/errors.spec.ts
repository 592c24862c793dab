import { describe, expect, it } from '@jest/globals';
import {
  MilvusAuthenticationError,
  MilvusCircuitOpenError,
  MilvusClientExistsError,
  MilvusClientNotFoundError,
  MilvusClosedError,
  MilvusConfigurationError,
  MilvusConnectionError,
  MilvusConnectTimeoutError,
  MilvusDeadlineExceededError,
  MilvusError,
  MilvusInitializationError,
  MilvusPoolExhaustedError,
  MilvusServerError,
  MilvusUnavailableError,
} from '../../lib/index.js';

const cause = new Error('cause');
const context = { client: 'search', method: 'insert', attempts: 2, grpcCode: 14, cause };
const snapshot = { size: 1, maxConnections: 1, inFlight: 1, pending: 0, leases: 0, maxLeases: 5 };
const answer = { errorCode: 8, errorName: 'RateLimit', reason: 'slow down' };

const all: [MilvusError, string, unknown[]][] = [
  [new MilvusConfigurationError('m', context), 'MILVUS_CONFIGURATION', []],
  [new MilvusClientNotFoundError('m', context), 'MILVUS_CLIENT_NOT_FOUND', []],
  [new MilvusClientExistsError('m', context), 'MILVUS_CLIENT_EXISTS', []],
  [new MilvusServerError('m', { ...context, ...answer }), 'MILVUS_SERVER', []],
  [new MilvusInitializationError('m', context), 'MILVUS_INITIALIZATION', [MilvusConnectionError]],
  [new MilvusAuthenticationError('m', context), 'MILVUS_AUTHENTICATION', [MilvusConnectionError]],
  [new MilvusDeadlineExceededError('m', context), 'MILVUS_DEADLINE_EXCEEDED', [MilvusConnectionError]],
  [new MilvusClosedError('m', context), 'MILVUS_CLOSED', [MilvusConnectionError]],
  [new MilvusPoolExhaustedError('m', snapshot, context), 'MILVUS_POOL_EXHAUSTED', [MilvusConnectionError]],
  [new MilvusUnavailableError('m', context), 'MILVUS_UNAVAILABLE', [MilvusConnectionError]],
  [
    new MilvusCircuitOpenError('m', 250, context),
    'MILVUS_CIRCUIT_OPEN',
    [MilvusUnavailableError, MilvusConnectionError],
  ],
  [
    new MilvusConnectTimeoutError('m', context),
    'MILVUS_CONNECT_TIMEOUT',
    [MilvusUnavailableError, MilvusConnectionError],
  ],
];

describe('every error', () => {
  it.each(all.map(([error, code, parents]) => [error.constructor.name, error, code, parents] as const))(
    '%s has its code, its context and its place',
    (name, error, code, parents) => {
      expect(error).toBeInstanceOf(Error);
      expect(error).toBeInstanceOf(MilvusError);
      for (const parent of parents) expect(error).toBeInstanceOf(parent);
      expect(error).toMatchObject({ name, code, message: 'm', ...context });
      expect(String(error)).toBe(`${name}: m`);
      expect(error.stack).toMatch(new RegExp(`^${name}: m\n`));
    },
  );

  it('has a code of its own', () => {
    const codes = all.map(([, code]) => code);

    expect(new Set(codes).size).toBe(codes.length);
  });

  it('is no connection error when Milvus or the caller said no', () => {
    const others = all.filter(([error]) => !(error instanceof MilvusConnectionError)).map(([, code]) => code);

    expect(others).toEqual([
      'MILVUS_CONFIGURATION',
      'MILVUS_CLIENT_NOT_FOUND',
      'MILVUS_CLIENT_EXISTS',
      'MILVUS_SERVER',
    ]);
  });

  it('has no cause when there is none', () => {
    expect('cause' in new MilvusUnavailableError('m', { client: 'a' })).toBe(false);
  });
});

describe('MilvusServerError', () => {
  it('keeps what Milvus said', () => {
    expect(new MilvusServerError('m', { client: 'a', ...answer, retriable: true })).toMatchObject({
      ...answer,
      retriable: true,
    });
    expect(new MilvusServerError('m', { client: 'a', ...answer }).retriable).toBe(false);
  });
});

describe('MilvusCircuitOpenError', () => {
  it('keeps when it is worth trying again', () => {
    expect(new MilvusCircuitOpenError('m', 250, { client: 'a' }).retryAfterMs).toBe(250);
  });
});

describe('MilvusPoolExhaustedError', () => {
  it('keeps the snapshot', () => {
    expect(new MilvusPoolExhaustedError('m', snapshot, { client: 'a' }).snapshot).toEqual(snapshot);
  });
});

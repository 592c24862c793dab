import { describe, expect, it } from '@jest/globals';
import { MilvusConfigurationError } from '../../lib/errors/configuration-errors.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import type { ResolvedClientOptions } from '../../lib/options/resolved-options.js';
import { faultOf } from './expect-faults.js';

describe('resolveClientOptions', () => {
  it('fills in the defaults', () => {
    expect(resolveClientOptions('read', { address: 'h' })).toStrictEqual({
      name: 'read',
      endpoint: {
        addresses: [{ host: 'h', port: 19530 }],
        pool: {
          minConnections: 1,
          maxConnections: 4,
          maxStreamsPerConnection: 100,
          acquireTimeoutMs: 5000,
          maxPending: 1000,
          maxLeases: 5,
          idleTimeoutMs: 300000,
          maxLifetimeMs: 1800000,
          validateAfterIdleMs: 30000,
          connectTimeoutMs: 10000,
          keepalive: { intervalMs: 30000, timeoutMs: 5000, withoutCalls: false },
          dedicated: false,
          maxReceiveBytes: 268435456,
        },
        retryBudget: { ratio: 0.2, minPerSecond: 1 },
        circuitBreaker: {
          failureThreshold: 5,
          recoveryTimeoutMs: 30000,
          halfOpenSuccessThreshold: 2,
          maxHalfOpenRequests: 1,
        },
        health: { intervalMs: 10000, timeoutMs: 2000 },
      },
      database: 'default',
      errors: 'throw',
      timeouts: { readMs: 10000, writeMs: 60000, adminMs: 60000, waitMs: 600000 },
      retry: { maxAttempts: 3, initialDelayMs: 50, maxDelayMs: 2000, multiplier: 2, jitter: 'full' },
      startup: { mode: 'eager', timeoutMs: 10000 },
      shutdown: { drainTimeoutMs: 10000 },
      leakDetection: { thresholdMs: 60000 },
    } satisfies ResolvedClientOptions);
  });

  it('takes every option that is given', () => {
    const pool = {
      minConnections: 0,
      maxConnections: 2,
      maxStreamsPerConnection: 3,
      acquireTimeoutMs: 4,
      maxPending: 5,
      maxLeases: 10,
      idleTimeoutMs: 0,
      maxLifetimeMs: 11,
      validateAfterIdleMs: 0,
      connectTimeoutMs: 6,
      keepalive: { intervalMs: 7, timeoutMs: 8, withoutCalls: true },
      dedicated: false,
      maxReceiveBytes: 9,
    };
    const rest = {
      timeouts: { readMs: 1, writeMs: 2, adminMs: 3, waitMs: 4 },
      retry: {
        maxAttempts: 13,
        initialDelayMs: 14,
        maxDelayMs: 15,
        multiplier: 1.5,
        jitter: 'none' as const,
      },
      startup: { mode: 'lazy' as const, timeoutMs: 5 },
      shutdown: { drainTimeoutMs: 0 },
      leakDetection: { thresholdMs: 12, maxHeld: 9 },
      errors: 'status' as const,
      database: 'db',
    };
    const ofEndpoint = {
      pool,
      retryBudget: { ratio: 0.5, minPerSecond: 2.5 },
      circuitBreaker: {
        failureThreshold: 21,
        recoveryTimeoutMs: 22,
        halfOpenSuccessThreshold: 23,
        maxHalfOpenRequests: 24,
        failureRate: { threshold: 0.25, minimumCalls: 26, windowMs: 27 },
      },
      health: { intervalMs: 28, timeoutMs: 29 },
    };
    const given = { address: 'h:1', token: 't', tls: true, ...ofEndpoint, ...rest };
    expect(resolveClientOptions('a', given)).toStrictEqual({
      name: 'a',
      endpoint: {
        addresses: [{ host: 'h', port: 1 }],
        tls: { rejectUnauthorized: true },
        ...ofEndpoint,
      },
      credentials: { token: 't' },
      ...rest,
    });
  });

  it('takes undefined for not given, at every level', () => {
    const nothing = {
      tls: undefined,
      pool: { maxConnections: undefined, keepalive: { intervalMs: undefined } },
      timeouts: undefined,
      retry: { maxAttempts: undefined },
      retryBudget: undefined,
      circuitBreaker: { failureThreshold: undefined, failureRate: undefined },
      health: { intervalMs: undefined },
      startup: { mode: undefined },
      database: undefined,
    };
    expect(resolveClientOptions('a', { address: 'h', ...nothing })).toEqual(
      resolveClientOptions('a', { address: 'h' }),
    );
  });

  it('keeps leak detection off, or at its threshold', () => {
    const of = (leakDetection: false | object) =>
      resolveClientOptions('a', { address: 'h', leakDetection }).leakDetection;
    expect([of(false), of({}), of({ maxHeld: 3 })]).toEqual([
      false,
      { thresholdMs: 60_000 },
      { thresholdMs: 60_000, maxHeld: 3 },
    ]);
  });

  it('keeps the retry budget off, or at what holds where nothing is given', () => {
    const of = (retryBudget: false | object) =>
      resolveClientOptions('a', { address: 'h', retryBudget }).endpoint.retryBudget;
    expect([of(false), of({}), of({ ratio: 0.5 }), of({ minPerSecond: 0 })]).toEqual([
      false,
      { ratio: 0.2, minPerSecond: 1 },
      { ratio: 0.5, minPerSecond: 1 },
      { ratio: 0.2, minPerSecond: 0 },
    ]);
  });

  it('keeps the circuit breaker off, or at what holds where nothing is given, without a failure rate', () => {
    const of = (circuitBreaker: false | object) =>
      resolveClientOptions('a', { address: 'h', circuitBreaker }).endpoint.circuitBreaker;
    const usual = {
      failureThreshold: 5,
      recoveryTimeoutMs: 30_000,
      halfOpenSuccessThreshold: 2,
      maxHalfOpenRequests: 1,
    };
    expect([of(false), of({}), of({ failureThreshold: 3 })]).toStrictEqual([
      false,
      usual,
      { ...usual, failureThreshold: 3 },
    ]);
    const failureRate = { threshold: 0.5, minimumCalls: 20, windowMs: 10_000 };
    expect([of({ failureRate: {} }), of({ failureRate: { minimumCalls: 5 } })]).toStrictEqual([
      { ...usual, failureRate },
      { ...usual, failureRate: { ...failureRate, minimumCalls: 5 } },
    ]);
  });

  it('keeps the health questions off, or at what holds where nothing is given', () => {
    const of = (health: false | object) =>
      resolveClientOptions('a', { address: 'h', health }).endpoint.health;
    expect([of(false), of({}), of({ intervalMs: 5 }), of({ timeoutMs: 5 })]).toEqual([
      false,
      { intervalMs: 10_000, timeoutMs: 2_000 },
      { intervalMs: 5, timeoutMs: 2_000 },
      { intervalMs: 10_000, timeoutMs: 5 },
    ]);
  });

  it('refuses more leases to tell of than can be held', () => {
    const resolve = (maxHeld: number) => () =>
      resolveClientOptions('a', { address: 'h', pool: { maxLeases: 3 }, leakDetection: { maxHeld } });
    expect(resolve(2)).not.toThrow();
    expect(resolve(3)).toThrow(/leakDetection\.maxHeld: is 3, not below pool\.maxLeases, which is 3/);
  });

  it('freezes the result to the bottom, and nothing of the caller', () => {
    const given = { address: ['h'], tls: {}, token: 't', pool: { keepalive: { intervalMs: 5 } } };
    const thawed: string[] = [];
    const visit = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [key, inner] of Object.entries(value)) visit(inner, `${path}.${key}`);
    };
    visit(resolveClientOptions('a', given), 'options');
    expect(thawed).toEqual([]);
    expect([given, given.address, given.tls, given.pool, given.pool.keepalive].some(Object.isFrozen)).toBe(
      false,
    );
  });

  it('names the client in the error, and in its message', () => {
    const resolve = () => resolveClientOptions('write', {});
    expect(resolve).toThrow(MilvusConfigurationError);
    expect(resolve).toThrow(expect.objectContaining({ client: 'write', code: 'MILVUS_CONFIGURATION' }));
    expect(resolve).toThrow('The options of Milvus client "write" cannot work:\n  - address: is missing');
  });
});

describe('database', () => {
  it.each([
    ['http://h/url', 'given', 'given'],
    ['http://h/url', undefined, 'url'],
    ['http://h/url', '', 'url'],
    ['h', '', 'default'],
  ])('of %s with %p is %3$s', (address, database, expected) => {
    expect(resolveClientOptions('a', { address, database }).database).toBe(expected);
  });

  it('is refused where no header could carry it', () => {
    expect(faultOf({ database: 'a\nb' })).toMatch(/^database: names a database with characters/);
    expect(faultOf({ address: 'http://h/%C3%A9' })).toMatch(/^address: names a database with characters/);
  });
});

describe('pool sizes', () => {
  it.each([
    [{ minConnections: 3, maxConnections: 2 }, 'is 3, above pool.maxConnections, which is 2: '],
    [{ minConnections: 5 }, 'is 5, above pool.maxConnections, whose default is 4: '],
  ])('%j do not fit', (pool, fault) => {
    expect(faultOf({ pool })).toContain(`pool.minConnections: ${fault}lower the one or raise the other`);
  });

  it.each([{ minConnections: 4 }, { maxConnections: 1 }, { minConnections: 7, maxConnections: 7 }])(
    '%j fit',
    pool => {
      expect(resolveClientOptions('a', { address: 'h', pool }).endpoint.pool).toMatchObject(pool);
    },
  );
});

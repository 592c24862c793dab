import { describe, expect, it } from '@jest/globals';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import { faultOf, faultsOf } from './expect-faults.js';

describe('options that are not an object', () => {
  it.each([
    [undefined, 'there are no options: return an object like'],
    [null, 'the options must be an object, but are null'],
    [[], 'the options must be an object, but are an array'],
    ['https://root:S3CRET@h', 'the options must be an object, but are a string'],
    [42, 'the options must be an object, but are a number'],
    [() => ({}), 'the options must be an object, but are a function'],
  ])('%p gives one clear fault', (options, fault) => {
    expect(faultsOf(options)).toEqual([expect.stringContaining(fault)]);
    expect(faultsOf(options).join()).not.toContain('S3CRET');
  });
});

describe('integers', () => {
  const paths = [
    ...['minConnections', 'maxConnections', 'maxStreamsPerConnection', 'maxPending', 'maxReceiveBytes'],
    ...['acquireTimeoutMs', 'connectTimeoutMs', 'keepalive.intervalMs', 'keepalive.timeoutMs'],
    ...['maxLeases', 'idleTimeoutMs', 'maxLifetimeMs', 'validateAfterIdleMs'],
  ].map(key => `pool.${key}`);
  // Its limit is another option.
  const first = 'retry.initialDelayMs';
  const others = [
    ...[first, 'retry.maxAttempts', 'circuitBreaker.failureRate.minimumCalls'],
    ...['failureThreshold', 'halfOpenSuccessThreshold', 'maxHalfOpenRequests'].map(
      key => `circuitBreaker.${key}`,
    ),
  ];
  const timers = [
    ...['readMs', 'writeMs', 'adminMs', 'waitMs'].map(key => `timeouts.${key}`),
    ...['startup.timeoutMs', 'shutdown.drainTimeoutMs', 'health.timeoutMs', 'leakDetection.thresholdMs'],
    ...['retry.maxDelayMs', 'health.intervalMs'],
    ...['recoveryTimeoutMs', 'failureRate.windowMs'].map(key => `circuitBreaker.${key}`),
  ];
  const at = (path: string, value: unknown) =>
    path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Record<
      string,
      unknown
    >;
  const mayBeZero = [
    ...['minConnections', 'idleTimeoutMs', 'maxLifetimeMs', 'validateAfterIdleMs'].map(key => `pool.${key}`),
    'shutdown.drainTimeoutMs',
  ];

  it.each([...paths, ...timers, ...others])('%s is refused when it is no number', path => {
    expect(faultOf(at(path, '4'))).toMatch(`${path}: must be an integer`);
    expect(faultOf(at(path, '4'))).toMatch('but is a string: convert it with Number(...)');
    expect(faultOf(at(path, Number.NaN))).toMatch('but is NaN: look at what was converted');
    expect(faultOf(at(path, 1.5))).toMatch('but is 1.5');
    expect(faultOf(at(path, Number.POSITIVE_INFINITY))).toMatch('but is Infinity');
    expect(faultOf(at(path, null))).toMatch('but is null');
    expect(faultOf(at(path, -1))).toMatch('but is -1');
  });

  it.each([...paths, ...timers, ...others])('%s is refused at 0, where that is too little', path => {
    const faults = faultsOf({ address: 'h', ...at(path, 0) });
    expect(faults).toEqual(
      mayBeZero.includes(path) ? [] : [expect.stringMatching(/(of at least|from) 1\b.*but is 0/)],
    );
  });

  it.each([...paths.filter(path => path.endsWith('Ms')), ...timers])(
    '%s is at most what a timer takes',
    path => {
      expect(faultsOf({ address: 'h', ...at(path, 2_147_483_647) })).toEqual([]);
      expect(faultOf(at(path, 2_147_483_648))).toMatch('to 2147483647 (ms), but is 2147483648');
    },
  );

  it(`${first} is at most what a timer takes`, () => {
    const pauses = { initialDelayMs: 2_147_483_647, maxDelayMs: 2_147_483_647 };
    expect(faultsOf({ address: 'h', retry: pauses })).toEqual([]);
    expect(faultOf(at(first, 2_147_483_648))).toMatch('to 2147483647 (ms), but is 2147483648');
  });

  it('pool.maxReceiveBytes is at most what a gRPC frame can tell', () => {
    expect(faultsOf({ address: 'h', pool: { maxReceiveBytes: 4_294_967_295 } })).toEqual([]);
    expect(faultOf({ pool: { maxReceiveBytes: 4_294_967_296 } })).toMatch('from 1 to 4294967295 (bytes)');
  });
});

describe('other numbers', () => {
  it.each([
    [{ retry: { multiplier: 1 } }, []],
    [{ retry: { multiplier: 1.5 } }, []],
    [{ retry: { multiplier: 0.9 } }, ['retry.multiplier: must be a number of at least 1, but is 0.9']],
    [{ retryBudget: { ratio: 0, minPerSecond: 0 } }, []],
    [{ retryBudget: { ratio: 1, minPerSecond: 0.1 } }, []],
    [{ retryBudget: { ratio: 1.1 } }, ['retryBudget.ratio: must be a number from 0 to 1, but is 1.1']],
    [{ retryBudget: { ratio: -0.1 } }, ['retryBudget.ratio: must be a number from 0 to 1, but is -0.1']],
    [
      { retryBudget: { minPerSecond: -1 } },
      ['retryBudget.minPerSecond: must be a number of at least 0, but is -1'],
    ],
    [{ retryBudget: { minPerSecond: Infinity } }, [expect.stringMatching(/at least 0, but is Infinity/)]],
    [{ retryBudget: { ratio: '0.2' } }, [expect.stringMatching(/from 0 to 1, but is a string: convert it/)]],
    [{ circuitBreaker: { failureRate: { threshold: 0 } } }, []],
    [{ circuitBreaker: { failureRate: { threshold: 1 } } }, []],
    [
      { circuitBreaker: { failureRate: { threshold: 50 } } },
      ['circuitBreaker.failureRate.threshold: must be a number from 0 to 1, but is 50'],
    ],
    [
      { retry: { multiplier: Number.NaN } },
      [expect.stringMatching(/but is NaN: look at what was converted/)],
    ],
  ])('%j has the faults %j', (options, faults) => {
    expect(faultsOf({ address: 'h', ...options })).toEqual(faults);
  });
});

describe('other kinds', () => {
  it.each<[Record<string, unknown>, string]>([
    [{ pool: 5 }, 'pool: must be an object, but is a number'],
    [{ pool: null }, 'pool: must be an object, but is null'],
    [{ pool: { keepalive: [] } }, 'pool.keepalive: must be an object, but is an array'],
    [
      { pool: { keepalive: { withoutCalls: 'true' } } },
      "must be true or false, but is a string: compare it, as in value === 'true'",
    ],
    [{ ssl: 1 }, 'ssl: must be true or false, but is a number'],
    [{ tls: 'yes' }, 'tls: must be true, false or an object, but is a string'],
    [{ tls: [] }, 'tls: must be true, false or an object, but is an array'],
    [{ tls: { ca: 5 } }, 'tls.ca: must be a file path, PEM text or a Buffer, but is a number'],
    [{ tls: { rootCert: 'x' } }, 'tls.rootCert: must be a Buffer, but is a string'],
    [{ tls: { serverName: '' } }, 'tls.serverName: is empty'],
    [
      { startup: { mode: 'egar' } },
      "startup.mode: must be one of 'eager', 'background', 'lazy', but is another string",
    ],
    [{ startup: { mode: 1 } }, 'but is a number'],
    [
      { retry: { jitter: 'half' } },
      "retry.jitter: must be one of 'full', 'equal', 'none', but is another string",
    ],
    [{ retry: true }, 'retry: must be false or an object, but is a boolean'],
    [{ retryBudget: 0.2 }, 'retryBudget: must be false or an object, but is a number'],
    [{ token: '' }, 'token: is empty: leave it out'],
    [{ username: '', password: '' }, 'username: is empty: leave it out'],
    [{ database: 5 }, 'database: must be a string, but is a number'],
    [{ username: 'u', password: 987654 }, 'password: must be a string, but is a number'],
    [{ token: { a: 'S3CRET' } }, 'token: must be a string, but is an object'],
  ])('%j gives one fault', (options, fault) => {
    expect(faultOf(options)).toMatch(fault);
    expect(faultOf(options)).not.toMatch(/S3CRET|987654/);
  });
});

describe('unknown options', () => {
  it.each<[Record<string, unknown>, string]>([
    [
      { name: 'read' },
      'name: is not an option: the name stands beside the factory: MilvusModule.forRootAsync({ name, useFactory })',
    ],
    [{ pool: { maxConnection: 4 } }, "pool.maxConnection: is not an option: did you mean 'maxConnections'?"],
    [{ pool: { acquire_timeout_ms: 4 } }, "did you mean 'pool.acquireTimeoutMs'?"],
    [
      { pool: { keepalive: { interval: 4 } } },
      "pool.keepalive.interval: is not an option: did you mean 'intervalMs'?",
    ],
    [{ tls: { rootCertPaht: 'x' } }, "tls.rootCertPaht: is not an option: did you mean 'rootCertPath'?"],
    [{ tls: { verifyOptions: {} } }, "did you mean 'rejectUnauthorized' or 'serverName'?"],
    [{ maxConnections: 4 }, "did you mean 'pool.maxConnections'?"],
    [
      { timeoutMs: 4 },
      "did you mean 'pool.keepalive.timeoutMs' or 'startup.timeoutMs' or 'health.timeoutMs'?",
    ],
    [{ pool: { timeouts: {} } }, "did you mean 'timeouts'?"],
    [{ retry: { maxRetries: 3 } }, 'known here: maxAttempts, initialDelayMs'],
    [{ retry: { maxAttempt: 3 } }, "retry.maxAttempt: is not an option: did you mean 'maxAttempts'?"],
    [{ retry: { ratio: 0.1 } }, "retry.ratio: is not an option: did you mean 'retryBudget.ratio'?"],
    [{ retryBudget: { minPerSec: 1 } }, "did you mean 'minPerSecond'?"],
    [{ pool: { maxConectoins: 4 } }, "did you mean 'maxConnections'?"],
    [{ tokex: 't' }, "did you mean 'token'?"],
    [{ tokeen: 't' }, "did you mean 'token'?"],
    [{ sl: true }, "did you mean 'ssl'?"],
    [{ tkn: 't' }, 'known here: address, tls'],
    [{ tok: 't' }, 'known here: address, tls'],
    [{ telemetry: {} }, 'known here: address, tls, ssl, pool, token,'],
    [{ circuitBraker: {} }, "did you mean 'circuitBreaker'?"],
    [{ circuitBreaker: { threshold: 3 } }, "did you mean 'circuitBreaker.failureRate.threshold'?"],
    [{ circuitBreaker: { qqqq: 1 } }, 'known here: failureThreshold, recoveryTimeoutMs'],
    [{ circuitBreaker: { failureRate: { qqqq: 1 } } }, 'known here: threshold, minimumCalls, windowMs'],
    [{ health: { qqqq: 1 } }, 'known here: intervalMs, timeoutMs'],
    [{ 'line\nbreak': 1 }, '"line\\nbreak": is not an option'],
  ])('%j is refused with what was probably meant', (options, fault) => {
    expect(faultOf(options)).toContain(fault);
  });

  it('are each a fault of their own', () => {
    expect(faultsOf({ address: 'h', xx: 1, yy: 2, health: { zz: 3 } })).toHaveLength(3);
    expect(faultsOf({ address: 'h', tls: { ca: 5, zz: 3 } }).map(fault => fault.split(':')[0])).toEqual([
      'tls.ca',
      'tls.zz',
    ]);
  });

  it('do not include what was inherited or is undefined', () => {
    class Settings {
      address = 'h';
      token = undefined;
      describe() {}
    }
    expect(faultsOf(new Settings())).toEqual([]);
  });

  it('count as unknown even when undefined, because the name is what is wrong', () => {
    expect(faultOf({ tokn: undefined })).toMatch("tokn: is not an option: did you mean 'token'?");
  });
});

describe('several faults', () => {
  it('are reported all at once, rules between sound options included', () => {
    const faults = faultsOf({
      address: ['localhost:0', 'http://h/a/b'],
      nmae: 1,
      token: 't',
      username: 'u',
      tls: { ca: 5, key: '/no/such/file' },
      pool: { minConnections: 9, acquireTimeoutMs: '5' },
      startup: { mode: 'x' },
    });
    expect(faults.map(fault => fault.split(':')[0]).sort()).toEqual([
      'address[0]',
      'address[1]',
      'nmae',
      'pool.acquireTimeoutMs',
      'pool.minConnections',
      'startup.mode',
      'tls.ca',
      'tls.key',
      'token',
    ]);
  });

  it('do not make others up: a broken value is not a missing one', () => {
    expect(faultsOf({ address: 'h', username: 5, password: 'p' })).toHaveLength(1);
    expect(faultsOf({ address: 'http://u@h:0', password: 'p' })).toHaveLength(1);
    expect(faultsOf({ address: ['http://u@h:0'], password: 'p' })).toHaveLength(1);
    expect(faultsOf({ address: 'h', pool: { minConnections: 9, maxConnections: '9' } })).toHaveLength(1);
    expect(faultsOf({ address: 'h', tls: { cert: 5, key: '/no/such/file' } })).toHaveLength(2);
  });

  it('leave the options as they were', () => {
    const options = { address: 'h', pool: { maxConnections: '4' } };
    expect(faultsOf(options)).toHaveLength(1);
    expect(options).toEqual({ address: 'h', pool: { maxConnections: '4' } });
    expect(() => resolveClientOptions('a', Object.freeze({ address: 'h' }))).not.toThrow();
  });
});

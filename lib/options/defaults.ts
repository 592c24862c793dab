import type { CircuitBreakerOptions, FailureRateOptions } from '../resilience/circuit-breaker.js';
import type { RetryBudgetOptions } from '../resilience/retry-budget.js';
import type { RetryPolicy } from '../resilience/retry-schedule.js';
import { deepFreeze } from './deep-freeze.js';
import type { EndpointOptions, ResolvedClientOptions } from './resolved-options.js';

type OptionDefaults = Omit<
  ResolvedClientOptions,
  'name' | 'endpoint' | 'credentials' | 'leakDetection' | 'retry'
> &
  Pick<EndpointOptions, 'pool'> & {
    leakDetection: { thresholdMs: number };
    retry: RetryPolicy;
    retryBudget: RetryBudgetOptions;
    circuitBreaker: CircuitBreakerOptions;
    health: { intervalMs: number; timeoutMs: number };
  };

/** What holds where an option is not given; the reason of each number stands with `MilvusClientOptions`. */
export const optionDefaults: Readonly<OptionDefaults> = deepFreeze({
  database: 'default',
  pool: {
    minConnections: 1,
    maxConnections: 4,
    maxStreamsPerConnection: 100,
    acquireTimeoutMs: 5_000,
    maxPending: 1_000,
    maxLeases: 5,
    idleTimeoutMs: 300_000,
    maxLifetimeMs: 1_800_000,
    validateAfterIdleMs: 30_000,
    connectTimeoutMs: 10_000,
    keepalive: { intervalMs: 30_000, timeoutMs: 5_000, withoutCalls: false },
    maxReceiveBytes: 268_435_456,
    dedicated: false,
  },
  retryBudget: { ratio: 0.2, minPerSecond: 1 },
  circuitBreaker: {
    failureThreshold: 5,
    recoveryTimeoutMs: 30_000,
    halfOpenSuccessThreshold: 2,
    maxHalfOpenRequests: 1,
  },
  health: { intervalMs: 10_000, timeoutMs: 2_000 },
  timeouts: { readMs: 10_000, writeMs: 60_000, adminMs: 60_000, waitMs: 600_000 },
  retry: { maxAttempts: 3, initialDelayMs: 50, maxDelayMs: 2_000, multiplier: 2, jitter: 'full' },
  errors: 'throw',
  startup: { mode: 'eager', timeoutMs: 10_000 },
  shutdown: { drainTimeoutMs: 10_000 },
  leakDetection: { thresholdMs: 60_000 },
});

/** As those, where a failure rate is wanted at all. */
export const failureRateDefaults: Readonly<FailureRateOptions> = Object.freeze({
  threshold: 0.5,
  minimumCalls: 20,
  windowMs: 10_000,
});

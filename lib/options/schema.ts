import { z } from 'zod';
import type {
  MilvusCircuitBreakerOptions,
  MilvusClientOptions,
  MilvusCredentialsFunction,
  MilvusFailureRateOptions,
  MilvusHealthOptions,
  MilvusKeepaliveOptions,
  MilvusLeakDetectionOptions,
  MilvusPoolOptions,
  MilvusRetryBudgetOptions,
  MilvusRetryOptions,
  MilvusShutdownOptions,
  MilvusStartupOptions,
  MilvusTimeoutOptions,
  MilvusTlsOptions,
} from './milvus-client-options.js';
import {
  callable,
  contents,
  duration,
  fileOrContents,
  flag,
  integer,
  kindOf,
  nonEmptyText,
  number,
  oneOf,
  text,
} from './option-types.js';

/** A gRPC frame tells its length in four bytes. */
const LARGEST_FRAME_BYTES = 4_294_967_295;

/** One schema for each option there is, and none besides: a forgotten one does not compile. */
type Shape<T> = { [K in keyof Required<T>]: z.ZodType<T[K] | undefined> };

function group<S extends z.ZodRawShape>(shape: S) {
  return z.strictObject(shape, {
    error: ({ code, input }) =>
      code === 'invalid_type' ? `must be an object, but is ${kindOf(input)}` : undefined,
  });
}

const tls = group({
  ca: fileOrContents(),
  cert: fileOrContents(),
  key: fileOrContents(),
  serverName: nonEmptyText(),
  rejectUnauthorized: flag(),
  rootCertPath: text(),
  rootCert: contents(),
  privateKeyPath: text(),
  privateKey: contents(),
  certChainPath: text(),
  certChain: contents(),
  skipCertCheck: flag(),
} satisfies Shape<MilvusTlsOptions>);

const keepalive = group({
  intervalMs: duration(),
  timeoutMs: duration(),
  withoutCalls: flag(),
} satisfies Shape<MilvusKeepaliveOptions>);

const pool = group({
  minConnections: integer(0),
  maxConnections: integer(1),
  maxStreamsPerConnection: integer(1),
  acquireTimeoutMs: duration(),
  // Not 0: the call that makes a pool connect waits too.
  maxPending: integer(1),
  maxLeases: integer(1),
  idleTimeoutMs: duration(0),
  maxLifetimeMs: duration(0),
  validateAfterIdleMs: duration(0),
  connectTimeoutMs: duration(),
  keepalive: keepalive.optional(),
  maxReceiveBytes: integer(1, LARGEST_FRAME_BYTES, ' (bytes)'),
  dedicated: flag(),
} satisfies Shape<MilvusPoolOptions>);

const timeouts = group({
  readMs: duration(),
  writeMs: duration(),
  adminMs: duration(),
  waitMs: duration(),
} satisfies Shape<MilvusTimeoutOptions>);

const startup = group({
  mode: oneOf('eager', 'background', 'lazy'),
  timeoutMs: duration(),
} satisfies Shape<MilvusStartupOptions>);

const shutdown = group({ drainTimeoutMs: duration(0) } satisfies Shape<MilvusShutdownOptions>);

const health = group({
  intervalMs: duration(),
  timeoutMs: duration(),
} satisfies Shape<MilvusHealthOptions>);

const failureRate = group({
  threshold: number(0, 1),
  minimumCalls: integer(1),
  windowMs: duration(),
} satisfies Shape<MilvusFailureRateOptions>);

const circuitBreaker = group({
  failureThreshold: integer(1),
  recoveryTimeoutMs: duration(),
  halfOpenSuccessThreshold: integer(1),
  maxHalfOpenRequests: integer(1),
  failureRate: failureRate.optional(),
} satisfies Shape<MilvusCircuitBreakerOptions>);

const leakDetection = group({
  thresholdMs: duration(),
  maxHeld: integer(1),
} satisfies Shape<MilvusLeakDetectionOptions>);

const retry = group({
  maxAttempts: integer(1),
  initialDelayMs: duration(),
  maxDelayMs: duration(),
  multiplier: number(1),
  jitter: oneOf('full', 'equal', 'none'),
} satisfies Shape<MilvusRetryOptions>);

const retryBudget = group({
  ratio: number(0, 1),
  minPerSecond: number(0),
} satisfies Shape<MilvusRetryBudgetOptions>);

/** Off, or its settings. */
function falseOr<S extends z.ZodType>(settings: S) {
  return z
    .union([z.literal(false), settings], {
      error: ({ input }) => `must be false or an object, but is ${kindOf(input)}`,
    })
    .optional();
}

/** Every option alone; what must fit together is checked in `resolveClientOptions`. */
export const clientOptionsSchema = group({
  // Checked where it is parsed, which can tell which of several addresses is at fault.
  address: z.any().optional(),
  tls: z
    .union([z.boolean(), tls], {
      error: ({ input }) => `must be true, false or an object, but is ${kindOf(input)}`,
    })
    .optional(),
  ssl: flag(),
  pool: pool.optional(),
  token: nonEmptyText(),
  username: nonEmptyText(),
  password: text(),
  credentials: callable<MilvusCredentialsFunction>(),
  database: text(),
  timeouts: timeouts.optional(),
  errors: oneOf('throw', 'status'),
  startup: startup.optional(),
  shutdown: shutdown.optional(),
  health: falseOr(health),
  circuitBreaker: falseOr(circuitBreaker),
  leakDetection: falseOr(leakDetection),
  retry: falseOr(retry),
  retryBudget: falseOr(retryBudget),
} satisfies Shape<MilvusClientOptions>);

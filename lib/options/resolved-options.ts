import type { SecureContextOptions } from 'node:tls';
import type { CircuitBreakerOptions } from '../resilience/circuit-breaker.js';
import type { RetryBudgetOptions } from '../resilience/retry-budget.js';
import type { RetryPolicy } from '../resilience/retry-schedule.js';
import type { MilvusCredentials, MilvusCredentialsFunction } from './milvus-client-options.js';

/** One server to connect to. IPv6 hosts are bare, without brackets. */
export interface MilvusAddress {
  host: string;
  port: number;
}

/** TLS with every file read; `undefined` in {@link EndpointOptions} means plain text. */
export interface ResolvedTls extends Pick<SecureContextOptions, 'ca' | 'cert' | 'key'> {
  serverName?: string;
  rejectUnauthorized: boolean;
}

/** Everything about connections, and nothing about who is calling. */
export interface EndpointOptions {
  addresses: readonly MilvusAddress[];
  tls?: ResolvedTls;
  pool: {
    minConnections: number;
    maxConnections: number;
    maxStreamsPerConnection: number;
    acquireTimeoutMs: number;
    maxPending: number;
    maxLeases: number;
    idleTimeoutMs: number;
    maxLifetimeMs: number;
    validateAfterIdleMs: number;
    connectTimeoutMs: number;
    keepalive: { intervalMs: number; timeoutMs: number; withoutCalls: boolean };
    maxReceiveBytes: number;
    dedicated: boolean;
  };
  retryBudget: RetryBudgetOptions | false;
  circuitBreaker: CircuitBreakerOptions | false;
  health: { intervalMs: number; timeoutMs: number } | false;
}

/** One client's options, validated, with defaults filled in and addresses parsed. */
export interface ResolvedClientOptions {
  name: string;
  endpoint: EndpointOptions;
  credentials?: MilvusCredentials | MilvusCredentialsFunction;
  database: string;
  timeouts: { readMs: number; writeMs: number; adminMs: number; waitMs: number };
  retry: RetryPolicy | false;
  errors: 'throw' | 'status';
  startup: { mode: 'eager' | 'background' | 'lazy'; timeoutMs: number };
  shutdown: { drainTimeoutMs: number };
  leakDetection: { thresholdMs: number; maxHeld?: number } | false;
}

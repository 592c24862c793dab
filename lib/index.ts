export type { MilvusCallOptions, MilvusExecuteOptions } from './client/call-scope.js';
export type { CallUnderWay as MilvusCallUnderWay } from './client/calls-in-flight.js';
export type { ClientDrainReport, DrainReport } from './client/drain-report.js';
export type { MilvusLease } from './client/milvus-lease.js';
export type { MilvusAcquireOptions, MilvusCircuit, MilvusPool } from './client/milvus-pool.js';
export { PooledMilvusClient } from './client/pooled-milvus-client.js';
export type { MilvusPing } from './client/server-probe.js';
export {
  MilvusClientExistsError,
  MilvusClientNotFoundError,
  MilvusConfigurationError,
} from './errors/configuration-errors.js';
export {
  MilvusAbortedError,
  MilvusAuthenticationError,
  MilvusCircuitOpenError,
  MilvusClosedError,
  MilvusConnectionError,
  MilvusConnectTimeoutError,
  MilvusDeadlineExceededError,
  MilvusInitializationError,
  MilvusOutcomeUnknownError,
  MilvusPoolExhaustedError,
  type MilvusPoolSnapshot,
  MilvusRetriesExhaustedError,
  MilvusUnavailableError,
} from './errors/connection-errors.js';
export { MilvusError } from './errors/milvus-error.js';
export { MilvusRequestError } from './errors/request-error.js';
export { MilvusRateLimitError, MilvusServerError } from './errors/server-error.js';
export {
  type MilvusClientHealth,
  MilvusHealthIndicator,
  type MilvusPingCheckOptions,
} from './health/milvus.health.js';
export { HttpDrain } from './http/http-drain.js';
export { getMilvusToken, InjectMilvus } from './module/milvus.decorators.js';
export { MilvusModule } from './module/milvus.module.js';
export { MilvusRegistry, type MilvusRegistryStats } from './module/milvus.registry.js';
export type {
  MilvusModuleAsyncOptions,
  MilvusModuleManyAsyncOptions,
  MilvusModuleOptions,
  MilvusOptionsFactory,
} from './module/milvus-module-options.js';
export type { MilvusRegistryEvent } from './module/registry-events.js';
export type {
  MilvusCircuitBreakerOptions,
  MilvusClientOptions,
  MilvusCredentials,
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
} from './options/milvus-client-options.js';
export type {
  CircuitMetrics as MilvusCircuitMetrics,
  CircuitState as MilvusCircuitState,
} from './resilience/circuit-breaker.js';
export type { Durations as MilvusDurations } from './telemetry/durations.js';
export type { HeldLease as MilvusHeldLease } from './telemetry/leases.js';
export type { PoolEvent as MilvusPoolEvent } from './telemetry/pool-events.js';
export type {
  EndpointStats as MilvusEndpointStats,
  PoolState as MilvusPoolState,
  PoolStats as MilvusPoolStats,
  SendStats as MilvusSendStats,
} from './telemetry/pool-telemetry.js';

import type { ConnectionSource } from '../pool/connection-source.js';
import type { CircuitBreaker } from '../resilience/circuit-breaker.js';
import type { Clock } from '../resilience/clock.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import type { SequelRules } from './sequel.js';

/** What every delivery of an endpoint needs. */
export interface DeliveryRoute extends SequelRules {
  readonly circuit: CircuitBreaker;
  readonly pool: ConnectionSource<Http2Connection>;
  readonly clock: Clock;
  /** Asked when calls get no answer on a connection that lives: whether the server does not even say how it is. */
  readonly hangs: () => boolean;
}

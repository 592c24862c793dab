import { AsyncResource } from 'node:async_hooks';
import { describeAddress } from '../options/address.js';
import type { EndpointOptions, MilvusAddress } from '../options/resolved-options.js';
import { ConnectionPool } from '../pool/connection-pool.js';
import { systemClock } from '../resilience/clock.js';
import { RetryBudget } from '../resilience/retry-budget.js';
import type { ConnectionStats, PoolObserver, SendObserver, SendStats } from '../telemetry/pool-telemetry.js';
import { AddressRing } from '../topology/address-ring.js';
import { connectToFirst } from '../topology/connect-to-first.js';
import { Http2Connection } from '../transport/http2-connection.js';
import { Gateway } from './gateway.js';
import { SendFigures } from './send-figures.js';

/** Where calls go: the addresses of one Milvus, and everything about the connections to it. Knows no client. */
export class Endpoint {
  readonly gateway: Gateway;
  readonly pool: ConnectionPool<Http2Connection>;
  /** For the retries of all its clients together. */
  readonly budget: RetryBudget;
  readonly figures = new SendFigures();
  private readonly addresses: AddressRing;
  /** A connection outlives the request that wanted it, and must not keep that one's asynchronous context alive. */
  private readonly context = new AsyncResource('MilvusEndpoint');

  constructor(
    private readonly options: EndpointOptions,
    observer: PoolObserver & SendObserver,
  ) {
    this.addresses = new AddressRing(options.addresses);
    const connect = (signal: AbortSignal) => this.context.runInAsyncScope(() => this.connect(signal));
    this.pool = new ConnectionPool(options.pool, connect, observer, systemClock, Math.random, this.name);
    this.budget = new RetryBudget(options.retryBudget);
    this.gateway = new Gateway({
      pool: this.pool,
      budget: this.budget,
      figures: this.figures,
      clock: systemClock,
      random: Math.random,
      onRetry: (...retry) => observer.retrying(...retry),
    });
  }

  /** `host:port`, all of them, for messages. */
  get name(): string {
    return this.options.addresses.map(describeAddress).join(', ');
  }

  /** Of its connections, and of what was sent over them. */
  stats(): ConnectionStats & { readonly sends: SendStats } {
    return { ...this.pool.stats(), sends: this.figures.snapshot() };
  }

  private connect(signal: AbortSignal): Promise<Http2Connection> {
    const { tls, pool } = this.options;
    const connectTo = (address: MilvusAddress, stop: AbortSignal) =>
      Http2Connection.connect({ ...pool, address, tls }, stop);
    return connectToFirst(this.addresses.round(), connectTo, signal);
  }
}

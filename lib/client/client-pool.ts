import { limitOf, narrowed } from './call-limits.js';
import type { CallRequest } from './call-request.js';
import { checkAcquireOptions } from './call-scope.js';
import type { ClientInternals } from './client-internals.js';
import { ACQUIRE } from './failed-call.js';
import { MilvusLease } from './milvus-lease.js';
import type { MilvusAcquireOptions, MilvusCircuit, MilvusPool } from './milvus-pool.js';
import type { PooledMilvusClient } from './pooled-milvus-client.js';

/** The pool as one client, or one that `with(…)` derived from it, sees it. */
export class ClientPool implements MilvusPool {
  // Private to the language: printing a client prints its pool, and must not print what is behind.
  readonly #behind: ClientInternals;
  readonly #derive: (behind: ClientInternals) => PooledMilvusClient;

  constructor(behind: ClientInternals, derive: (behind: ClientInternals) => PooledMilvusClient) {
    this.#behind = behind;
    this.#derive = derive;
  }

  get state() {
    return this.#behind.runtime.state;
  }

  get circuit(): MilvusCircuit {
    const { circuit } = this.#behind.runtime.endpoint;
    return Object.freeze({
      get state() {
        return circuit.state;
      },
      metrics: () => circuit.metrics(),
      reset: () => circuit.reset(),
    });
  }

  get events$() {
    return this.#behind.runtime.events.events$;
  }

  stats() {
    return this.#behind.runtime.stats();
  }

  leaks() {
    return this.#behind.runtime.leaks.leaks();
  }

  // Not async: the stack that is captured shall begin with the caller.
  acquire(options: MilvusAcquireOptions = {}): Promise<MilvusLease> {
    return this.#acquire(options, this.acquire);
  }

  async withConnection<Result>(
    fn: (client: PooledMilvusClient) => Promise<Result> | Result,
    options: MilvusAcquireOptions = {},
  ): Promise<Result> {
    const lease = await this.#acquire(options, this.withConnection);
    try {
      return await fn(lease.client);
    } finally {
      lease.release();
    }
  }

  reconnect(): Promise<void> {
    return this.#behind.runtime.reconnect();
  }

  async #acquire(options: MilvusAcquireOptions, entry: (...args: never[]) => unknown): Promise<MilvusLease> {
    const behind = this.#behind;
    const { runtime } = behind;
    const trace = runtime.leaks.trace(entry);
    const held = await runtime.acquireLease(acquireRequest(behind, options), trace);
    return new MilvusLease(this.#derive(behind.through(held)), held);
  }
}

/** The soonest of the caller's own limit, or the pool's, and those of the client that it is acquired through. */
function acquireRequest({ runtime, scope }: ClientInternals, options: MilvusAcquireOptions): CallRequest {
  const { name, endpoint } = runtime.options;
  checkAcquireOptions(options, name);
  const own =
    options.timeoutMs === undefined
      ? { timeoutMs: endpoint.pool.acquireTimeoutMs, setBy: '`pool.acquireTimeoutMs`' }
      : limitOf(options.timeoutMs);
  const limit = narrowed(own, scope);
  return { method: ACQUIRE, limit, metadata: {}, scope: { ...scope, errors: 'throw', lease: undefined } };
}

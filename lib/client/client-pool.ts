import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import type { CallRequest } from './call.js';
import { limitOf } from './call-limits.js';
import type { ClientInternals } from './client-internals.js';
import { ACQUIRE } from './failed-call.js';
import { MilvusLease } from './milvus-lease.js';
import type { MilvusAcquireOptions, MilvusPool } from './milvus-pool.js';
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

/** The sooner of the caller's own limit, or the pool's, and the one of `with({ timeoutMs })`. */
function acquireRequest({ runtime, scope }: ClientInternals, options: MilvusAcquireOptions): CallRequest {
  const { name, endpoint } = runtime.options;
  const { timeoutMs, ...unknown } = options;
  for (const option of Object.keys(unknown)) {
    throw new MilvusConfigurationError(
      `Milvus client "${name}": ${ACQUIRE}(): \`${option}\` is unknown. Known: timeoutMs`,
      { client: name, method: ACQUIRE },
    );
  }
  if (timeoutMs !== undefined && !(timeoutMs > 0)) {
    throw new MilvusConfigurationError(
      `Milvus client "${name}": ${ACQUIRE}(): \`timeoutMs\` must be a number of milliseconds above 0`,
      { client: name, method: ACQUIRE },
    );
  }
  const limits = [
    timeoutMs === undefined
      ? { timeoutMs: endpoint.pool.acquireTimeoutMs, setBy: '`pool.acquireTimeoutMs`' }
      : limitOf(timeoutMs),
    ...(scope.timeoutMs === undefined
      ? []
      : [{ timeoutMs: scope.timeoutMs, setBy: '`with({ timeoutMs })`' }]),
  ];
  const limit = limits.reduce((sooner, each) => (each.timeoutMs < sooner.timeoutMs ? each : sooner));
  return { method: ACQUIRE, limit, metadata: {}, scope: { signals: scope.signals, errors: 'throw' } };
}

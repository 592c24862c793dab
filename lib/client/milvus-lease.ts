import type { Lease } from '../pool/lease.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import type { PooledMilvusClient } from './pooled-milvus-client.js';

/** What the calls of a lease's client must know of it. */
export class HeldConnection {
  private over = false;

  constructor(
    /** Where they find their connection. */
    readonly connections: Lease<Http2Connection>,
    private readonly onReleased: (held: HeldConnection) => void,
  ) {}

  get released(): boolean {
    return this.over;
  }

  release(): void {
    if (this.over) return;
    this.over = true;
    this.onReleased(this);
    // Last: the connection may go straight to the next holder.
    this.connections.release();
  }
}

/**
 * A connection for its holder alone. Give it back when it is done: by `release()`, by leaving the block of an
 * `await using`, or by `pool.withConnection(…)`, which does it in any case.
 */
export class MilvusLease {
  // Private to the language: printing a lease must not print what is behind.
  readonly #held: HeldConnection;

  /** @internal Leases are made by `pool.acquire()`. */
  constructor(
    /** Its calls go over this connection, and nobody else's do. */
    readonly client: PooledMilvusClient,
    held: HeldConnection,
  ) {
    this.#held = held;
  }

  /**
   * Gives the connection back. Calls through it that are under way go on, if need be on shared connections; later ones fail
   * with MilvusClosedError. Harmless when it was released before, or its connection is gone.
   */
  release(): void {
    this.#held.release();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#held.release();
  }
}

import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import type { Call } from './call.js';
import { type CallScope, type MilvusCallOptions, narrow } from './call-scope.js';
import { type Caller, DATABASE_KEY, IDENTIFIER_KEY, metadataOf, type ViewClass } from './call-view.js';
import type { ClientParts } from './client-parts.js';
import type { ClientRuntime } from './client-runtime.js';
import type { HeldConnection } from './milvus-lease.js';
import type { MilvusPool } from './milvus-pool.js';
import type { RpcChannel } from './rpc-channel.js';
import type { SchemaCache } from './schema-cache.js';
import type { ServerProbe } from './server-probe.js';
import { Startup } from './startup.js';

/** What the module and the health indicator use of a client. Behind a symbol: any string may be an SDK method one day. */
export const internals = Symbol('nestjs-milvus');

/** What is behind a client, or behind one that `with(…)` derived from it: that one has a scope of its own. */
export class ClientInternals implements Caller {
  /** What its owner sees of the pool; made when somebody looks. */
  pool?: MilvusPool;
  /** For RPCs from outside of any method; made when there is one. */
  channel?: RpcChannel;

  constructor(
    private readonly parts: ClientParts,
    public scope: CallScope,
    readonly derived = false,
  ) {}

  get root(): MilvusClient {
    return this.parts.root;
  }

  get View(): ViewClass {
    return this.parts.View;
  }

  get runtime(): ClientRuntime {
    return this.parts.runtime;
  }

  get schemas(): SchemaCache {
    return this.parts.schemas;
  }

  get probe(): ServerProbe {
    return this.parts.probe;
  }

  /** How it comes up with its application. */
  get startup(): Startup {
    return new Startup(this.runtime, this.probe, this.root);
  }

  with(options: MilvusCallOptions): ClientInternals {
    return new ClientInternals(this.parts, this.narrowed('with', options), true);
  }

  /** For the client of a lease. */
  through(lease: HeldConnection): ClientInternals {
    return new ClientInternals(this.parts, { ...this.scope, lease }, true);
  }

  /** For the client of an `execute()`. */
  within(call: Call, more: Pick<CallScope, 'retry' | 'idempotent' | 'rerun' | 'run'>): ClientInternals {
    const scope = { ...this.scope, ...more, within: call };
    return new ClientInternals(this.parts, scope, true);
  }

  /**
   * Sets the database of later calls. A derived client belongs to whoever derived it; the one that all share has none
   * to change once the application has initialised.
   *
   * @throws MilvusConfigurationError
   */
  use(database: string): void {
    const scope = this.narrowed('use', { database });
    const { root, runtime } = this;
    const client = runtime.options.name;
    if (this.derived) this.scope = scope;
    else if (!runtime.serving) metadataOf(root).set(DATABASE_KEY, database);
    else {
      throw new MilvusConfigurationError(
        `Milvus client "${client}": use() would change the database under all who share this client. Use \`with({ database })\`, or \`db_name\` in the request; use() works on a client that with() gave, which should then be yours alone`,
        { client, method: 'use' },
      );
    }
  }

  metadata(named?: string): Readonly<Record<string, string>> {
    const own = metadataOf(this.root);
    const database = named ?? this.scope.database ?? own.get(DATABASE_KEY)!;
    const identifier = own.get(IDENTIFIER_KEY);
    return identifier === undefined
      ? { [DATABASE_KEY]: database }
      : { [DATABASE_KEY]: database, [IDENTIFIER_KEY]: identifier };
  }

  private narrowed(method: string, options: MilvusCallOptions): CallScope {
    return narrow(this.scope, options, { client: this.runtime.options.name, method });
  }
}

import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import type { Call } from './call.js';
import { type CallScope, type MilvusCallOptions, narrow } from './call-scope.js';
import { type Caller, DATABASE_KEY, IDENTIFIER_KEY, type ViewClass } from './call-view.js';
import type { ClientRuntime } from './client-runtime.js';
import type { HeldConnection } from './milvus-lease.js';
import type { SchemaCache } from './schema-cache.js';
import type { ServerProbe } from './server-probe.js';
import type { Startup } from './startup.js';

/** What the module and the health indicator use of a client. Behind a symbol: any string may be an SDK method one day. */
export const internals = Symbol('nestjs-milvus');

interface ClientParts {
  /** The client that the module made. */
  readonly root: MilvusClient;
  readonly View: ViewClass;
  readonly runtime: ClientRuntime;
  readonly schemas: SchemaCache;
  readonly probe: ServerProbe;
  readonly startup: Startup;
}

/** What is behind a client, or behind one that `with(…)` derived from it: that one has a scope of its own. */
export class ClientInternals implements Caller {
  readonly root: MilvusClient;
  readonly View: ViewClass;
  readonly runtime: ClientRuntime;
  readonly schemas: SchemaCache;
  readonly probe: ServerProbe;
  readonly startup: Startup;

  constructor(
    private readonly parts: ClientParts,
    public scope: CallScope,
    private readonly derived = false,
  ) {
    this.root = parts.root;
    this.View = parts.View;
    this.runtime = parts.runtime;
    this.schemas = parts.schemas;
    this.probe = parts.probe;
    this.startup = parts.startup;
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
    const { root, runtime } = this;
    const own = metadataOf(root);
    const database = named ?? this.scope.database ?? own.get(DATABASE_KEY)!;
    const identifier = own.get(IDENTIFIER_KEY);
    const credentials = runtime.credentials();
    return identifier === undefined
      ? { ...credentials, [DATABASE_KEY]: database }
      : { ...credentials, [DATABASE_KEY]: database, [IDENTIFIER_KEY]: identifier };
  }

  private narrowed(method: string, options: MilvusCallOptions): CallScope {
    return narrow(this.scope, options, { client: this.runtime.options.name, method });
  }
}

/** Database and client id. Protected in the SDK's types. */
export function metadataOf(client: MilvusClient): Map<string, string> {
  return (client as unknown as { metadata: Map<string, string> }).metadata;
}

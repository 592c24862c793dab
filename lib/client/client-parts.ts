import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { RpcMethod } from '../endpoint/rpc.js';
import { type ViewClass, viewClass } from './call-view.js';
import type { ClientRuntime } from './client-runtime.js';
import { DescriptionCache } from './description-cache.js';
import { SchemaCache } from './schema-cache.js';
import { ServerProbe } from './server-probe.js';

/**
 * What stands behind a client, and behind all that `with(…)` derives from it. Made when it is first needed: most of a thousand
 * clients need little of it for long.
 */
export class ClientParts {
  private view?: ViewClass;
  private cache?: SchemaCache;

  constructor(
    /** The client that the module made. */
    readonly root: MilvusClient,
    readonly runtime: ClientRuntime,
    private readonly methods: ReadonlyMap<string, RpcMethod>,
    /** Database and client id. */
    private readonly metadata: () => Readonly<Record<string, string>>,
  ) {}

  get View(): ViewClass {
    this.view ??= viewClass(this.root);
    return this.view;
  }

  get schemas(): SchemaCache {
    this.cache ??= new SchemaCache(new DescriptionCache());
    return this.cache;
  }

  get probe(): ServerProbe {
    return new ServerProbe(this.runtime, this.methods, this.metadata);
  }
}

import { randomUUID } from 'node:crypto';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { inBackground } from '../resilience/background.js';
import { DATABASE_KEY } from './call-view.js';
import type { SdkMethod } from './sdk-methods.js';

/** What differs between the SDK's clients of one process. */
export interface SdkIdentity {
  /** `host:port`, as the SDK shows it. */
  address: string;
  database: string;
}

interface Template {
  readonly fields: Readonly<Record<string, unknown>>;
  /** Second names that the constructor gives methods, and the methods. */
  readonly aliases: ReadonlyMap<string, SdkMethod>;
}

/**
 * What the one client that the SDK itself constructs consists of: it parses its protobuf definitions three times, which takes
 * 70 ms and 9 MB. It holds for every client, but for what {@link SdkClient} gives each of its own.
 */
let template: Template | undefined;

function sdkTemplate(): Template {
  if (template) return template;
  const client = inBackground(
    () =>
      new MilvusClient({
        address: 'localhost:19530',
        // Connections, retries and topology are ours; the heartbeat would open a connection of its own.
        __SKIP_CONNECT__: true,
        pool: { min: 0, max: 1 },
        maxRetries: 0,
        telemetry: { enabled: false },
        isGlobal: false,
      }),
  );
  const isAlias = ([name, value]: [string, unknown]) =>
    typeof value === 'function' && (client as never)[value.name] === value && name !== value.name;
  const own = Object.entries(client);
  template = {
    fields: Object.fromEntries(own.filter(each => !isAlias(each))),
    aliases: new Map(own.filter(isAlias) as [string, SdkMethod][]),
  };
  return template;
}

/** Second names of the SDK's methods, e.g. `hybridSearch` of `search`. */
export function sdkAliases(): ReadonlyMap<string, SdkMethod> {
  return sdkTemplate().aliases;
}

/** What all have in common; filled with the first of them. */
const common = Object.create(MilvusClient.prototype) as object;

/**
 * The SDK's class, but for what its constructor costs: that runs once in a process, and what it made is common to all clients.
 * One that assigns a field has its own from then on.
 */
function ConstructedOnce(this: unknown, { address, database }: SdkIdentity): object {
  if (!template) Object.assign(common, sdkTemplate().fields, { channelPool: undefined });
  const { config } = common as { config: object };
  const client = Object.create(new.target!.prototype);
  client.clientId = randomUUID();
  client.config = { ...config, address, database };
  client.metadata = new Map([[DATABASE_KEY, database]]);
  return client;
}
ConstructedOnce.prototype = common;
Object.setPrototypeOf(ConstructedOnce, MilvusClient);

export const SdkClient = ConstructedOnce as unknown as new (identity: SdkIdentity) => MilvusClient;

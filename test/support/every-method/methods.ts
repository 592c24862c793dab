import type { MilvusClient } from '@zilliz/milvus2-sdk-node';

/** What stands on a client beside its calls, each with the reason why no shape of an answer applies to it. */
const notCalls: Record<string, string> = {
  constructor: 'makes the client',
  connect: 'starts the connections, answers nothing',
  reconnectToPrimary: 'global clusters only: topology is ours',
  closeConnection: 'ends the client, sends no RPC',
  use: 'sends no RPC',
  session: 'sends no RPC: what it hands out calls the methods of the client',
  getTelemetry: 'sends no RPC',
  checkCompatibility: 'inside of others, sends no RPC',
  metadataListener: 'inside of the SDK, sends no RPC',
  isLifecycleCurrent: 'inside of the SDK, sends no RPC',
  applyServerInfo: 'inside of the SDK, sends no RPC',
  createChannelPool: 'inside of the SDK, sends no RPC',
  disposeChannelPool: 'inside of the SDK, sends no RPC',
  createTelemetryClient: 'inside of the SDK, sends no RPC',
  replaceTelemetryClient: 'inside of the SDK, sends no RPC',
  sendTelemetryHeartbeat: 'has a connection of its own, which is off',
  getCollectionInfoCacheKey: 'inside of others, sends no RPC',
  invalidateCollectionInfo: 'inside of others, sends no RPC',
  normalizeFieldOps: 'inside of upsert, sends no RPC',
};

/** A public method of the SDK. */
export interface ListedMethod {
  name: string;
  /** The method that it is another name of. */
  aliasOf?: string;
}

/** Every public method of this SDK that is a call, and every alias that its constructor makes. */
export function listedMethods(client: MilvusClient): ListedMethod[] {
  const methods = new Map<string, unknown>();
  for (const [name, value] of inherited(client)) {
    // The nearest one is the one that is called.
    if (isPublic(name, value) && !methods.has(name)) methods.set(name, value);
  }
  const names = new Map([...methods].map(([name, method]) => [method, name]));
  const aliases = Object.entries(client)
    .filter(([name, value]) => isPublic(name, value))
    .map(([name, value]): ListedMethod => ({ name, aliasOf: names.get(value) }));
  return [...[...methods.keys()].map((name): ListedMethod => ({ name })), ...aliases].filter(
    ({ name, aliasOf = name }) => !Object.hasOwn(notCalls, aliasOf),
  );
}

function isPublic(name: string, value: unknown): boolean {
  return typeof value === 'function' && !name.startsWith('_');
}

function* inherited(client: object): Iterable<[string, unknown]> {
  let from: object = Object.getPrototypeOf(client);
  while (from !== Object.prototype) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(from))) {
      yield [name, value];
    }
    from = Object.getPrototypeOf(from);
  }
}

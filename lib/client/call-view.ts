import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { type Rpc, RpcError } from '../endpoint/rpc.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { Call } from './call.js';
import type { CallScope } from './call-scope.js';
import type { ClientRuntime } from './client-runtime.js';
import { milvusService, type RpcChannel } from './rpc-channel.js';
import type { SchemaCache } from './schema-cache.js';

/** The SDK's names in the metadata of each request. */
export const IDENTIFIER_KEY = 'identifier';
export const DATABASE_KEY = 'dbname';

/** Set on the view of a client that one call runs on. */
const ownCall = Symbol('call');
const ownCaller = Symbol('caller');

/** What a call needs to know of the client that it is made on. */
export interface Caller {
  readonly runtime: ClientRuntime;
  readonly schemas: SchemaCache;
  readonly scope: CallScope;
  /**
   * Database and client id as they are now; a later `use()` does not reach a call that has begun.
   *
   * @param database that the request names
   */
  metadata(database?: string): Record<string, string>;
}

/** The client as the SDK's code sees it within one call. */
export interface CallView extends MilvusClient {
  readonly [ownCall]: Call;
  readonly [ownCaller]: Caller;
}

/** Whether this is the view of a call, so that what is called on it belongs to that call. */
export function isCallView(client: object): client is CallView {
  return ownCall in client;
}

export function callOf(view: CallView): Call {
  return view[ownCall];
}

export function callerOf(view: CallView): Caller {
  return view[ownCaller];
}

/** The database of a view's call, for requests that name none. */
export function databaseOf(view: CallView): string {
  return view[ownCall].metadata[DATABASE_KEY]!;
}

/** A view of the client that belongs to one call alone. */
export function createView(client: MilvusClient, caller: Caller, call: Call): CallView {
  return assignCall(Object.create(client), caller, call);
}

/** Makes a view belong to this call; an iterator's view goes from one page's call to the next. */
export function assignCall(view: MilvusClient, caller: Caller, call: Call): CallView {
  const { runtime, scope } = caller;
  const { Channel } = milvusService(view);
  return Object.assign(view, {
    [ownCall]: call,
    [ownCaller]: caller,
    // "No timeout given" then reaches the channel as the SDK's 24 h, and our own limits are the sooner ones.
    timeout: 0,
    channelPool: new Channel(rpc => sendFor(call, rpc, runtime, scope)),
    // Descriptions are kept in the SchemaCache.
    collectionInfoCache: noCache,
  }) as unknown as CallView;
}

/** For RPCs that come from outside of any method, as of the SDK's helper functions: each is a call of its own. */
export function createSoloChannel(client: MilvusClient, caller: Caller): RpcChannel {
  const { Channel } = milvusService(client);
  const { runtime } = caller;
  const scope: CallScope = { ...caller.scope, errors: 'status' };
  return new Channel(rpc => {
    const method = methodNameOf(rpc);
    const limit = runtime.limits.ofCall(method, undefined, scope.timeoutMs);
    return runtime.call({ method, limit, scope, metadata: caller.metadata() }, call =>
      sendFor(call, rpc, runtime, scope),
    );
  });
}

async function sendFor(call: Call, rpc: Rpc, runtime: ClientRuntime, scope: CallScope): Promise<object> {
  const { name } = rpc.method;
  try {
    const answer = await runtime.send(rpc, call);
    call.answered(name, answer);
    return answer;
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    if (scope.errors === 'status' && isUnknownToServer(error)) return {};
    call.failed(name, error);
    throw error;
  }
}

/** The plain SDK takes UNIMPLEMENTED for an empty answer, but where it has an older RPC to go on with. */
function isUnknownToServer({ rpc, code }: RpcError): boolean {
  return code === GrpcCode.UNIMPLEMENTED && rpc !== 'AlterCollectionSchema';
}

const noCache = Object.freeze({
  has: () => false,
  get: () => undefined,
  set: () => noCache,
  delete: () => false,
});

/** `Search` → `search` */
function methodNameOf({ method }: Rpc): string {
  return method.name.charAt(0).toLowerCase() + method.name.slice(1);
}

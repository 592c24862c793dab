import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { Rpc, RpcError } from '../endpoint/rpc.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { Call } from './call.js';
import type { CallScope } from './call-scope.js';
import type { ClientRuntime } from './client-runtime.js';
import { milvusService, type RpcCallback, type RpcChannel } from './rpc-channel.js';
import type { SchemaCache } from './schema-cache.js';

/** The SDK's names in the metadata of each request. */
export const IDENTIFIER_KEY = 'identifier';
export const DATABASE_KEY = 'dbname';

/** Database and client id of a client. Protected in the SDK's types. */
export function metadataOf(client: MilvusClient): Map<string, string> {
  return (client as unknown as { metadata: Map<string, string> }).metadata;
}

/** Set on the view of a client that one call runs on. */
const ownCall = Symbol('call');
const ownCaller = Symbol('caller');

/** What a call needs to know of the client that it is made on. */
export interface Caller {
  readonly runtime: ClientRuntime;
  readonly schemas: SchemaCache;
  readonly scope: CallScope;
  /** The client that the module made. */
  readonly root: MilvusClient;
  readonly View: ViewClass;
  /**
   * Database and client id as they are now; a later `use()` does not reach a call that has begun.
   *
   * @param database that the request names
   */
  metadata(database?: string): Readonly<Record<string, string>>;
}

/** The client as the SDK's code sees it within one call. */
export interface CallView extends MilvusClient {
  [ownCall]: Call;
  [ownCaller]: Caller;
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

/** Makes views of one client. A class, because `Object.create` and `Object.assign` would cost half of a small call. */
export type ViewClass = new (caller: Caller, call: Call) => CallView;

export function viewClass(client: MilvusClient): ViewClass {
  function View(this: CallView, caller: Caller, call: Call): void {
    assignCall(this, caller, call);
  }
  // A property for each that is assigned: the client's own `channelPool` has a getter.
  View.prototype = Object.create(client, { channelPool: { value: undefined, writable: true } });
  return View as unknown as ViewClass;
}

/** Makes a view belong to this call; an iterator's view goes from one page's call to the next. */
export function assignCall(view: CallView, caller: Caller, call: Call): void {
  const { Channel } = milvusService(view);
  view[ownCall] = call;
  view[ownCaller] = caller;
  // "No timeout given" then reaches the channel as the SDK's 24 h, and our own limits are the sooner ones.
  view.timeout = 0;
  view.channelPool = new Channel((rpc, done) => sendFor(call, caller, rpc, done)) as never;
  // Descriptions are kept in the SchemaCache. Protected in the SDK's types.
  (view as unknown as { collectionInfoCache: unknown }).collectionInfoCache = noCache;
}

/** For RPCs that come from outside of any method, as of the SDK's helper functions: each is a call of its own. */
export function createSoloChannel(caller: Caller): RpcChannel {
  const { runtime, root } = caller;
  const { Channel } = milvusService(root);
  const scope: CallScope = { ...caller.scope, errors: 'status' };
  return new Channel((rpc, done) => {
    const method = methodNameOf(rpc);
    const limit = runtime.limits.ofCall(method, undefined, scope);
    runtime
      .call<object>({ method, limit, scope, metadata: caller.metadata() }, call => runtime.send(rpc, call))
      .then(answer => done(null, answer), done);
  });
}

function sendFor(call: Call, { runtime, scope }: Caller, rpc: Rpc, done: RpcCallback): void {
  runtime.send(rpc, call).then(
    answer => {
      runtime.identity.heard();
      call.answered(rpc.method, answer, rpc.delivered);
      done(null, answer);
    },
    (error: RpcError) => {
      if (scope.errors === 'status' && isUnknownToServer(error)) return done(null, {});
      runtime.identity.heard(error);
      call.failed(rpc.method, error);
      done(error);
    },
  );
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

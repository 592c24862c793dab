import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { Rpc } from '../endpoint/rpc.js';
import type { Call } from './call.js';
import type { ClientRuntime } from './client-runtime.js';
import { milvusService, type RpcChannel } from './rpc-channel.js';
import type { SdkMethod } from './sdk-methods.js';

/** A longer timer of Node fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Set on the view of a client that one call runs on. */
const ownCall = Symbol('call');

/** The SDK's name for what Milvus calls this client; beside it in the metadata stands only the database. */
export const IDENTIFIER_KEY = 'identifier';

/** Whether this is the view of a call, so that what is called on it belongs to that call. */
export function isCallView(client: object): boolean {
  return ownCall in client;
}

/** Runs an SDK method as one call: on a view of the client that belongs to this call alone. */
export function runAsCall(
  client: MilvusClient,
  runtime: ClientRuntime,
  name: string,
  method: SdkMethod,
  args: unknown[],
): unknown {
  let direct: { result: unknown } | undefined;
  const request = { method: name, metadata: callMetadata(client), timeoutMs: requestTimeoutMs(args[0]) };
  const done = runtime.call(request, async call => {
    const result = method.apply(createView(client, runtime, call), args);
    if (!isThenable(result)) direct = { result };
    return result;
  });
  // The SDK's few synchronous methods stay synchronous.
  return direct ? direct.result : done;
}

/** For RPCs that come from outside of any method, as of the SDK's helper functions: each is a call of its own. */
export function createSoloChannel(client: MilvusClient, runtime: ClientRuntime): RpcChannel {
  const { Channel } = milvusService(client);
  return new Channel(rpc =>
    runtime.call({ method: methodNameOf(rpc), metadata: callMetadata(client) }, call =>
      runtime.send(rpc, call),
    ),
  );
}

/** Database and identifier as they are now; a later `use()` does not reach a call that has begun. */
export function callMetadata(client: MilvusClient): Record<string, string> {
  return Object.fromEntries(metadataOf(client));
}

function metadataOf(client: MilvusClient): Map<string, string> {
  // Protected in the SDK's types.
  return (client as unknown as { metadata: Map<string, string> }).metadata;
}

function createView(client: MilvusClient, runtime: ClientRuntime, call: Call): MilvusClient {
  const { Channel } = milvusService(client);
  return Object.assign(Object.create(client), {
    [ownCall]: call,
    // The SDK files a collection's schema under the database it finds here when the answer comes.
    metadata: new Map(metadataOf(client)),
    // "No timeout given" then reaches the channel as the SDK's 24 h, and the call's own deadline is the sooner one.
    timeout: 0,
    channelPool: new Channel(rpc => runtime.send(rpc, call)),
  });
}

/** `Search` → `search` */
function methodNameOf({ method }: Rpc): string {
  return method.name.charAt(0).toLowerCase() + method.name.slice(1);
}

/** The `timeout` in ms that the SDK's requests may carry. */
function requestTimeoutMs(request: unknown): number | undefined {
  const timeout = (request as { timeout?: unknown } | undefined)?.timeout;
  return typeof timeout === 'number' && timeout > 0 ? Math.min(timeout, LONGEST_TIMER_MS) : undefined;
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { isSchemaMismatch } from './call-failure.js';
import { type Caller, type CallView, callerOf, callOf, createView, databaseOf } from './call-view.js';
import type { CallRequest } from './client-runtime.js';
import { methodClass } from './method-class.js';
import { type CollectionDescription, sameSchema, schemaKey } from './schema-cache.js';
import type { SdkMethod } from './sdk-methods.js';

interface CollectionRequest {
  collection_name?: unknown;
  db_name?: string;
  cache?: unknown;
}

/** Runs an SDK method as one call: on a view of the client that belongs to this call alone. */
export function runAsCall(
  client: MilvusClient,
  caller: Caller,
  name: string,
  method: SdkMethod,
  args: unknown[],
): unknown {
  let direct: { result: unknown } | undefined;
  const done = caller.runtime.call(callRequest(caller, name, args[0]), async call => {
    const view = createView(client, caller, call);
    const result = method.apply(view, args);
    if (!isThenable(result)) {
      direct = { result };
      return result;
    }
    return settle(view, result, () => method.apply(view, args), args[0]);
  });
  // The SDK's few synchronous methods stay synchronous.
  return direct ? direct.result : done;
}

export function callRequest(caller: Caller, method: string, request: unknown): CallRequest {
  const { runtime, scope } = caller;
  const limit = runtime.limits.ofCall(method, request, scope.timeoutMs);
  return { method, limit, scope, metadata: caller.metadata(databaseNamed(method, request)) };
}

/**
 * The database that the request names holds for the whole call: the SDK forgets it in some of the RPCs that it adds, as
 * for the indexes that `createCollection` makes. Where the request is about a database, that one may not be there.
 */
function databaseNamed(method: string, request: unknown): string | undefined {
  const named = (request as CollectionRequest | undefined)?.db_name;
  return typeof named === 'string' && named && !method.includes('Database') ? named : undefined;
}

/** Waits for the SDK's work, and has it done again once if the collection is not what it was taken for. */
async function settle(
  view: CallView,
  work: unknown,
  again: () => unknown,
  request: unknown,
): Promise<unknown> {
  const call = callOf(view);
  try {
    const result = await work;
    if (call.failures.length === 0 || !(await schemaChanged(view, request))) return result;
  } catch (error) {
    if (!(await schemaChanged(view, request))) throw error;
  } finally {
    forgetChanged(view, request);
  }
  call.failures = [];
  return again();
}

/** Whether the call failed on a cached description that does not hold any more, and may be made again. */
async function schemaChanged(view: CallView, request: unknown): Promise<boolean> {
  const call = callOf(view);
  const { failures, usedSchema } = call;
  if (!usedSchema || call.ended || failures.some(({ error }) => error)) return false;
  // A write that Milvus refused for another reason may have been executed in part.
  if (call.wrote && !failures.some(isSchemaMismatch)) return false;
  const { collection_name, db_name } = request as CollectionRequest;
  call.usedSchema = undefined;
  const now = await view
    .describeCollection({ collection_name: String(collection_name), ...(db_name && { db_name }) })
    .catch(() => undefined);
  // What the question met is not what the caller asked for.
  call.failures = failures;
  return now !== undefined && !sameSchema(usedSchema.description, now as CollectionDescription);
}

/** What may have changed a collection makes its description worthless, whether it succeeded or not. */
function forgetChanged(view: CallView, request: unknown): void {
  if (!callOf(view).wrote) return;
  const of = methodClass(callOf(view).method);
  const { collection_name } = (request ?? {}) as CollectionRequest;
  if (of === 'write' || typeof collection_name !== 'string') return;
  callerOf(view).schemas.forget(schemaKey(databaseOf(view), collection_name));
}

function isThenable(value: unknown): boolean {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

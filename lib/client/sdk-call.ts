import type { CallRequest } from './call.js';
import { isSchemaMismatch } from './call-failure.js';
import { type Caller, type CallView, callerOf, callOf, databaseOf } from './call-view.js';
import { isPromiseLike } from './client-runtime.js';
import { methodClass } from './method-class.js';
import { type CollectionDescription, sameSchema, schemaKey } from './schema-cache.js';
import type { SdkMethod } from './sdk-methods.js';

interface CollectionRequest {
  collection_name?: unknown;
  db_name?: string;
  cache?: unknown;
}

/** Runs an SDK method as one call: on a view of the client that belongs to this call alone. */
export function runAsCall(caller: Caller, name: string, method: SdkMethod, args: unknown[]): unknown {
  let direct: { result: unknown } | undefined;
  const done = caller.runtime.call(callRequest(caller, name, args[0]), call => {
    const view = new caller.View(caller, call);
    const result = method.apply(view, args);
    if (isPromiseLike(result)) return mindSchema(view, result, () => method.apply(view, args), args[0]);
    direct = { result };
    return result;
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

/** Has the SDK's work done again once if the collection is not what it was taken for, and minds what it changed. */
function mindSchema(
  view: CallView,
  work: PromiseLike<unknown>,
  again: () => unknown,
  request: unknown,
): PromiseLike<unknown> {
  const call = callOf(view);
  const afterFailure = async (outcome: () => unknown) => {
    if (!(await schemaChanged(view, request))) return outcome();
    call.failures = [];
    return again();
  };
  return work.then(
    result => {
      if (call.wrote) forgetChanged(view, request);
      return call.failures.length === 0 ? result : afterFailure(() => result);
    },
    thrown => {
      if (call.wrote) forgetChanged(view, request);
      return afterFailure(() => Promise.reject(thrown));
    },
  );
}

/** Whether the call failed on a cached description that does not hold any more, and may be made again. */
async function schemaChanged(view: CallView, request: unknown): Promise<boolean> {
  const call = callOf(view);
  const { failures, usedSchema } = call;
  if (!usedSchema || call.ended || failures.some(({ error }) => error)) return false;
  if (call.wrote && !failures.some(isSchemaMismatch)) {
    // It may have been executed in part, and is not made again; but the next one shall not meet the same.
    callerOf(view).schemas.forget(usedSchema.key);
    return false;
  }
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
  const of = methodClass(callOf(view).method);
  const { collection_name } = (request ?? {}) as CollectionRequest;
  if (of === 'write' || typeof collection_name !== 'string') return;
  callerOf(view).schemas.forget(schemaKey(databaseOf(view), collection_name));
}

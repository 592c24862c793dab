import { systemClock } from '../resilience/clock.js';
import { isSchemaMismatch, mayBeForTheSchema } from './call-failure.js';
import type { CallRequest } from './call-request.js';
import { type Caller, type CallView, callerOf, callOf, databaseOf } from './call-view.js';
import { isPromiseLike } from './client-runtime.js';
import { methodClass } from './method-class.js';
import { type CollectionDescription, schemaKey } from './schema-cache.js';
import type { SdkMethod } from './sdk-methods.js';

interface CollectionRequest {
  collection_name?: unknown;
  collection_names?: unknown;
  db_name?: string;
  new_collection_name?: unknown;
  new_db_name?: string;
  alias?: unknown;
}

/** Runs an SDK method as one call: on a view of the client that belongs to this call alone. */
export function runAsCall(caller: Caller, name: string, method: SdkMethod, args: unknown[]): unknown {
  let direct: { result: unknown } | undefined;
  const done = caller.runtime.call(callRequest(caller, name, args[0]), call => {
    const view = new caller.View(caller, call);
    const result = method.apply(view, args);
    if (isPromiseLike(result)) return mindSchema(view, result, method, args);
    direct = { result };
    return result;
  });
  // The SDK's few synchronous methods stay synchronous.
  return direct ? direct.result : done;
}

export function callRequest(caller: Caller, method: string, request: unknown): CallRequest {
  const { runtime, scope } = caller;
  const limit = runtime.limits.ofCall(method, request, scope);
  return { method, limit, scope, metadata: caller.metadata(databaseNamed(method, request)) };
}

/**
 * The database of the collection that the request is about holds for the whole call: the SDK forgets it in some of the
 * RPCs that it adds, as for the indexes that `createCollection` makes. Where a privilege is granted it is no place.
 */
function databaseNamed(method: string, request: unknown): string | undefined {
  const { db_name, collection_name, collection_names } = (request ?? {}) as CollectionRequest;
  if (typeof db_name !== 'string' || !db_name || !(collection_name || collection_names)) return undefined;
  return /Privilege|Grant/.test(method) ? undefined : db_name;
}

/** Has the SDK's work done again once if the collection is not what it was taken for, and minds what it changed. */
function mindSchema(
  view: CallView,
  work: PromiseLike<unknown>,
  method: SdkMethod,
  args: unknown[],
): PromiseLike<unknown> {
  const call = callOf(view);
  return work.then(
    result => {
      if (call.wrote) forgetChanged(view, args[0]);
      return call.failures.length === 0 ? result : againIfChanged(view, method, args, { result });
    },
    thrown => {
      if (call.wrote) forgetChanged(view, args[0]);
      return againIfChanged(view, method, args, { thrown });
    },
  );
}

async function againIfChanged(
  view: CallView,
  method: SdkMethod,
  args: unknown[],
  first: { result?: unknown; thrown?: unknown },
): Promise<unknown> {
  if (await schemaChanged(view, args[0])) {
    callOf(view).failures = [];
    return method.apply(view, args);
  }
  if ('thrown' in first) throw first.thrown;
  return first.result;
}

/** Whether the call failed on a cached description that does not hold any more, and may be made again. */
async function schemaChanged(view: CallView, request: unknown): Promise<boolean> {
  const call = callOf(view);
  const { failures, usedSchema } = call;
  if (!usedSchema || call.ended || !failures.every(mayBeForTheSchema)) return false;
  call.usedSchema = undefined;
  const { schemas } = callerOf(view);
  if (call.wrote && !failures.some(isSchemaMismatch)) {
    // It may have been executed in part, and is not made again; but the next one shall not meet the same.
    schemas.forget(usedSchema.key);
    return false;
  }
  const { collection_name, db_name } = request as CollectionRequest;
  const question = { collection_name: String(collection_name), ...(db_name && { db_name }) };
  const ask = () => view.describeCollection(question) as Promise<CollectionDescription>;
  const looked = schemas.outdated(usedSchema.key, usedSchema.description, call, ask).catch(() => false);
  const outdated = await within(looked, Math.min(LONGEST_LOOK_MS, call.deadline.remainingMs() / 2));
  // What the question met is not what the caller asked for.
  call.failures = failures;
  return outdated ?? false;
}

/** A refusal that is known does not wait longer than this for whether it was for the schema. */
const LONGEST_LOOK_MS = 2_000;

function within<T>(promise: Promise<T>, limitMs: number): Promise<T | undefined> {
  return new Promise(resolve => {
    const limit = systemClock.schedule(() => resolve(undefined), limitMs);
    void promise.then(value => {
      limit.cancel();
      resolve(value);
    });
  });
}

/** Whatever may have changed since it was read is read anew, whether the call succeeded or not. */
function forgetChanged(view: CallView, request: unknown): void {
  const { method } = callOf(view);
  if (methodClass(method) === 'write' || typeof request !== 'object' || request === null) return;
  const { schemas } = callerOf(view);
  const own = databaseOf(view);
  const { db_name, new_db_name, collection_name, new_collection_name, alias } = request as CollectionRequest;
  if (/^dropDatabase/.test(method)) schemas.forgetDatabase(String(db_name));
  for (const name of [collection_name, alias]) if (name) schemas.forget(schemaKey(own, String(name)));
  if (new_collection_name) schemas.forget(schemaKey(new_db_name || own, String(new_collection_name)));
}

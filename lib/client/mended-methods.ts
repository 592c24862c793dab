import { isNotFound, unhandledFailure } from './call-failure.js';
import { type CallView, callerOf, callOf, databaseOf } from './call-view.js';
import { type CollectionDescription, schemaKey } from './schema-cache.js';
import type { SdkMethod } from './sdk-methods.js';

type Mended = (view: CallView, request: unknown, original: () => Promise<unknown>) => Promise<unknown>;

interface DescribeRequest {
  collection_name: string;
  db_name?: string;
  cache?: boolean;
}

/** The SDK's methods that do not do what their callers need, outermost or called by another; each within a call. */
const mended: Readonly<Record<string, Mended>> = {
  /** The SDK's own cache is by client; ours is by database too, and shares questions. */
  async describeCollection(view, request, original) {
    const { schemas } = callerOf(view);
    const ask = () => original() as Promise<CollectionDescription>;
    const { collection_name, db_name, cache } = (request ?? {}) as DescribeRequest;
    const key = schemaKey(db_name || databaseOf(view), collection_name);
    if (cache === true) return schemas.describe(key, callOf(view), ask);
    const description = await ask();
    schemas.keep(key, description);
    // Whatever the call met by now, it was not for lack of looking.
    callOf(view).usedSchema = undefined;
    return description;
  },

  /** The SDK says `false` whatever Milvus answers; and `createCollection` would go on from there. */
  async hasCollection(view, _request, original) {
    const answer = await original();
    const failure = unhandledFailure('hasCollection', callOf(view).failures);
    if (failure && callerOf(view).scope.errors === 'throw') throw new Error(`${failure.rpc} was refused`);
    return answer;
  },

  /** Some servers refuse the question where they could say `false`. */
  async hasPartition(view, _request, original) {
    const answer = (await original()) as object;
    const notFound = callOf(view).failures.some(isNotFound);
    return notFound && callerOf(view).scope.errors === 'throw' ? { ...answer, status: success } : answer;
  },
};

/** The same as the SDK's `hasCollection` gives. */
const success = { error_code: 'Success', reason: '', code: 0, extra_info: {}, retriable: false, detail: '' };

/** The SDK's method, or what stands in its place. */
export function mend(name: string, method: SdkMethod): SdkMethod {
  const replacement = mended[name];
  if (!replacement) return method;
  return function (this: unknown, ...args) {
    return replacement(this as CallView, args[0], () => method.apply(this, args) as Promise<unknown>);
  };
}

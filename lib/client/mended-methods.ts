import { unhandledFailure } from './call-failure.js';
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
  describeCollection(view, request, original) {
    const { schemas } = callerOf(view);
    const ask = () => original() as Promise<CollectionDescription>;
    const { collection_name, db_name, cache } = (request ?? {}) as DescribeRequest;
    const key = schemaKey(db_name || databaseOf(view), collection_name);
    return cache === true
      ? schemas.describe(key, callOf(view), ask)
      : schemas.describeAnew(key, callOf(view), ask);
  },

  /** The SDK says `false` to every refusal, and `true` to some; and `createCollection` goes on from there. */
  hasCollection: (view, _request, original) => answerWhether('hasCollection', view, original),

  /** Some servers refuse the question where they could say `false`. */
  hasPartition: (view, _request, original) => answerWhether('hasPartition', view, original),
};

async function answerWhether(
  name: string,
  view: CallView,
  original: () => Promise<unknown>,
): Promise<unknown> {
  const answer = await original();
  if (callerOf(view).scope.errors === 'status') return answer;
  const { failures } = callOf(view);
  const failure = unhandledFailure(name, failures);
  if (failure) throw new Error(`${failure.rpc} was refused`);
  return failures.length === 0 ? answer : { ...(answer as object), value: false, status: success };
}

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

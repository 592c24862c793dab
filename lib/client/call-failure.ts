import { codeOf, type ResponseStatus } from '../endpoint/response-status.js';
import type { Delivered, RpcError } from '../endpoint/rpc.js';

/** An RPC of a call that did not succeed. */
export type CallFailure =
  /** Milvus answered, and refused. */
  | { rpc: string; status: ResponseStatus; delivered?: Delivered; error?: undefined }
  /** There is no answer. */
  | { rpc: string; error: RpcError; status?: undefined; delivered?: undefined };

type Handles = (failure: CallFailure) => boolean;

/**
 * The failures that SDK methods expect and deal with. Of any other the SDK may have made a success: the call fails.
 */
const handled: Record<string, Handles> = {
  hasCollection: isNotFound,
  hasPartition: isNotFound,
  // It creates what it does not find, and an index where there is none.
  createCollection: failure => isNotFound(failure) || (failure.rpc === 'DescribeIndex' && isNoIndex(failure)),
  // It tries to drop Milvus's own roles too.
  dropAllRoles: ({ rpc, status }) =>
    rpc === 'DropRole' && /(default|builtin) role/.test(status?.reason ?? ''),
  addCollectionField: isOldSchemaChange,
  addCollectionFields: isOldSchemaChange,
};

/** The first failure that the SDK's method did not deal with. */
export function unhandledFailure(method: string, failures: readonly CallFailure[]): CallFailure | undefined {
  return failures.find(failure => !handled[method]?.(failure));
}

/** Milvus has no such collection or partition: the one honest "no". */
export function isNotFound({ rpc, status }: CallFailure): boolean {
  if (!status || !/^(Describe|Has)(Collection|Partition)$/.test(rpc)) return false;
  const code = codeOf(status);
  return code === 100 || code === 200 || (code === undefined && status.error_code === 'CollectionNotExists');
}

/** The schema that a write was made for is not the collection's any more. Milvus executed nothing. */
export function isSchemaMismatch({ status }: CallFailure): boolean {
  return status?.code === 109 || status?.error_code === 'SchemaMismatch';
}

/** What says nothing of the request: Milvus's service (1 to 99), what is loaded, and who may what (1400 on). */
const notTheSchema = (code: number) =>
  code < 100 || [101, 103, 106, 201, 202].includes(code) || (code >= 1400 && code < 1500);

/** Whether it may be for a description that does not hold any more. */
export function mayBeForTheSchema({ status }: CallFailure): boolean {
  if (!status || status.retriable || status.error_code === 'RateLimit') return false;
  const code = codeOf(status);
  return code === undefined || !notTheSchema(code);
}

function isNoIndex({ status }: CallFailure): boolean {
  return status?.code === 700 || status?.error_code === 'IndexNotExist';
}

/** Milvus before 3.0, or an external collection: the SDK goes on with the older RPC. */
function isOldSchemaChange({ rpc, status, error }: CallFailure): boolean {
  if (rpc !== 'AlterCollectionSchema') return false;
  return error?.code === 12 || Boolean(status?.reason?.includes('not supported for external collection'));
}

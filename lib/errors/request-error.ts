import { MilvusError } from './milvus-error.js';

/**
 * The SDK itself refused the call: a parameter is missing or of the wrong kind, a row does not fit the collection, or
 * it cannot make sense of an answer. `cause` is the SDK's own error.
 */
export class MilvusRequestError extends MilvusError {
  override readonly code = 'MILVUS_REQUEST';
}

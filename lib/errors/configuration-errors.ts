import { MilvusError } from './milvus-error.js';

/** Options or registrations that cannot work. Lists every fault at once, each with its remedy. */
export class MilvusConfigurationError extends MilvusError {
  override readonly code = 'MILVUS_CONFIGURATION';
}

/** No client of this name is registered; the message lists the names that are. */
export class MilvusClientNotFoundError extends MilvusError {
  override readonly code = 'MILVUS_CLIENT_NOT_FOUND';
}

/** A client of this name already exists; the message names both registrations. */
export class MilvusClientExistsError extends MilvusError {
  override readonly code = 'MILVUS_CLIENT_EXISTS';
}

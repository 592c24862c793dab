import { MilvusServerError } from '../errors/server-error.js';

/** The status that every Milvus answer carries, by itself or as `status`. */
export interface ResponseStatus {
  code?: number;
  error_code?: string;
  reason?: string;
  retriable?: boolean;
}

/** Milvus reports success as `code` 0; servers before 2.3 only by `error_code`, and Milvus Lite at times by `code` alone. */
export function isSuccess({ code, error_code }: ResponseStatus): boolean {
  return (
    Number(code ?? 0) === 0 && (error_code === undefined || error_code === '' || error_code === 'Success')
  );
}

/**
 * Makes an error of a status that is not success.
 *
 * @throws MilvusServerError
 */
export function assertSuccess(
  status: ResponseStatus | undefined,
  call: { client: string; method: string },
): void {
  if (!status || isSuccess(status)) return;
  const errorName = describeCode(status);
  const reason = status.reason ?? '';
  throw new MilvusServerError(
    `Milvus client "${call.client}": ${call.method}: Milvus answered ${errorName} (code ${status.code}): ${reason}`,
    { ...call, errorCode: Number(status.code), errorName, reason, retriable: status.retriable },
  );
}

/** Milvus Lite calls some failures `Success`. */
function describeCode({ error_code }: ResponseStatus): string {
  return error_code && error_code !== 'Success' ? error_code : 'an error';
}

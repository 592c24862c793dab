/** The status that every Milvus answer is, or carries. */
export interface ResponseStatus {
  code?: number;
  /** Its name; the bare number where the SDK does not know it. */
  error_code?: string | number;
  reason?: string;
  retriable?: boolean;
  extra_info?: Readonly<Record<string, string>> | null;
}

/** The places in an answer where a status may stand; a test compares them with the SDK's protobuf definition. */
interface Answer extends ResponseStatus {
  status?: ResponseStatus | null;
  /** AlterCollectionSchema */
  alter_status?: ResponseStatus | null;
  /** BatchDescribeCollection: a status for each collection. */
  responses?: Answer[] | null;
}

/** Milvus reports success as `code` 0; servers before 2.3 only by `error_code`, and Milvus Lite at times by `code` alone. */
export function isSuccess({ code, error_code }: ResponseStatus): boolean {
  return (
    Number(code ?? 0) === 0 &&
    (error_code === undefined || error_code === '' || error_code === 0 || error_code === 'Success')
  );
}

/** The status with which Milvus refused, if it did. */
export function refusalIn(answer: Answer): ResponseStatus | undefined {
  const status = answer.status ?? answer.alter_status ?? answer;
  if (!isSuccess(status)) return status;
  for (const each of Array.isArray(answer.responses) ? answer.responses : []) {
    const refusal = refusalIn(each);
    if (refusal) return refusal;
  }
  return undefined;
}

/** Milvus's numeric code; servers before 2.3 have none. */
export function codeOf({ code }: ResponseStatus): number | undefined {
  return Number(code) || undefined;
}

/** Milvus's rate limit refused the request, before anything of it was executed. */
export function isRateLimit(status: ResponseStatus): boolean {
  return codeOf(status) === 8 || status.error_code === 'RateLimit';
}

/** Nothing, which protobuf reads as a status of success. */
const NO_FIELDS = Buffer.alloc(0);
/** As that, in field 1, where answers carry their status. */
const EMPTY_STATUS = Buffer.from([0x0a, 0x00]);

/** The answer of this method to a request that succeeded; of what else it may tell there is nothing in it. */
export function asSuccess(answer: Answer, method: { deserialize(message: Buffer): object }): object {
  return method.deserialize(answer.status || answer.alter_status ? EMPTY_STATUS : NO_FIELDS);
}

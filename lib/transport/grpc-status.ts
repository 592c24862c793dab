/** gRPC status codes by name. */
export const GrpcCode = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;

/** As Node gives a header that is not one of HTTP's own. */
type HeaderValue = string | string[] | undefined;

const names = Object.keys(GrpcCode);

/** `14` → `UNAVAILABLE`; a code that gRPC does not define → `CODE_99`. */
export function grpcCodeName(code: number): string {
  return names[code] ?? `CODE_${code}`;
}

/** Reads `grpc-status`. What is not a number counts as UNKNOWN, as the gRPC specification says. */
export function parseGrpcStatus(value: HeaderValue): number {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : GrpcCode.UNKNOWN;
}

/** Decodes the percent-encoding of `grpc-message`; a message that is not well encoded is kept as it came. */
export function decodeGrpcMessage(value: HeaderValue): string {
  const text = value === undefined ? '' : String(value);
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What gRPC's "HTTP to gRPC status code mapping" says of an answer that carries no `grpc-status`. */
export function grpcCodeOfHttpStatus(httpStatus: number): number {
  switch (httpStatus) {
    case 400:
      return GrpcCode.INTERNAL;
    case 401:
      return GrpcCode.UNAUTHENTICATED;
    case 403:
      return GrpcCode.PERMISSION_DENIED;
    case 404:
      return GrpcCode.UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
      return GrpcCode.UNAVAILABLE;
    default:
      return GrpcCode.UNKNOWN;
  }
}

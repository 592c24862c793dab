import type { Setback } from '../resilience/setback.js';
import type { AttemptFailure } from '../transport/attempt.js';
import { GrpcCode } from '../transport/grpc-status.js';
import { codeOf, isRateLimit, type ResponseStatus } from './response-status.js';

/** Lasting: the answer to a second attempt would be the same. */
const REFUSED: Setback = { fate: 'refused', hope: 'none' };

/** gRPC statuses with which a server says that it did not do what was asked, and why. */
const refusals = new Set<number>([
  GrpcCode.INVALID_ARGUMENT,
  GrpcCode.NOT_FOUND,
  GrpcCode.ALREADY_EXISTS,
  GrpcCode.PERMISSION_DENIED,
  GrpcCode.FAILED_PRECONDITION,
  GrpcCode.OUT_OF_RANGE,
  GrpcCode.UNIMPLEMENTED,
  GrpcCode.UNAUTHENTICATED,
]);

/** As grpc-go and grpc's C core say it. Of an answer that is too large they say "trying to send": there was one. */
const REQUEST_TOO_LARGE = /received message larger than max/i;

/** What an attempt without an answer of Milvus itself means for another one. */
export function setbackOfFailure(failure: AttemptFailure): Setback {
  switch (failure.origin) {
    case 'server':
      return ofGrpcStatus(failure);
    case 'transport':
      return ofTransport(failure);
    case 'caller':
      // It ended the attempt, or Node would not send it at all.
      return { fate: failure.processed === 'no' ? 'not-processed' : 'unknown', hope: 'none' };
  }
}

function ofGrpcStatus({ code, notGrpc, message }: AttemptFailure): Setback {
  if (code === GrpcCode.UNAVAILABLE || code === GrpcCode.CANCELLED)
    return { fate: 'unknown', hope: 'transient' };
  // Whoever does not speak gRPC is not Milvus; but UNKNOWN, as HTTP 500, may come from a proxy that has handed the request on.
  const refused =
    refusals.has(code) || (notGrpc && code !== GrpcCode.UNKNOWN) || REQUEST_TOO_LARGE.test(message);
  return refused ? REFUSED : { fate: 'unknown', hope: 'none' };
}

function ofTransport({ code, processed, unreadable }: AttemptFailure): Setback {
  if (processed === 'no') return { fate: 'not-processed', hope: 'transient' };
  // Milvus has done it, and will answer the same again.
  if (unreadable) return { fate: 'unknown', hope: 'none' };
  const lasting = code === GrpcCode.PERMISSION_DENIED;
  return { fate: 'unknown', hope: lasting ? 'none' : 'transient' };
}

/**
 * Milvus is overloaded, or moves data: 2 Unavailable, 4 TooManyRequests, 12 ResourceInsufficient, 103
 * NotFullyLoaded, 106 OnRecovering, 110 SchemaVersionNotReady, 202 PartitionNotFullyLoaded, 305 ResourceGroupServiceUnavailable,
 * 505 TSafeStalled, 507 Misrouted, 1002 and 1003 message queue, 1807, 2200.
 */
const transient = new Set([2, 4, 12, 103, 106, 110, 202, 305, 505, 507, 1002, 1003, 1807, 2200]);

/** Which node has which data is changing: 401, 503, 901, 902, 904, 905. The server calls them lasting. */
const movingTopology = new Set([401, 503, 901, 902, 904, 905]);

const UNEXPECTED = 65_535;

/** How a server that lost its coordinators, but not its port, puts it. */
const HALF_DEAD = /find no available \w*coord|\w*coord(inator)? (is )?(not (ready|healthy)|unavailable)/i;

/** Milvus's lasting refusals, whatever its flag `retriable` says: parameters (11xx), permissions (14xx, 18xx) and these. */
function isLasting(code: number): boolean {
  const hundreds = Math.floor(code / 100);
  return [3, 5, 6, 7, 9, 10, 11, 100, 101, UNEXPECTED].includes(code) || [11, 14, 18].includes(hundreds);
}

/** What a refusal of Milvus means for another attempt. By its code first: the flag `retriable` is not reliable. */
export function setbackOfStatus(status: ResponseStatus, rpc: string, request: object): Setback {
  if (status.extra_info?.is_input_error === 'true') return REFUSED;
  if (isRateLimit(status)) {
    // By filter it deletes in several steps, each of which may meet the limit.
    const begun = rpc === 'Delete' && !isDeleteByKey(request);
    return { fate: begun ? 'unknown' : 'not-processed', hope: 'rate-limited' };
  }
  return { fate: brokeOff(status) ? 'unknown' : 'refused', hope: hopeOf(status) };
}

function hopeOf(status: ResponseStatus): Setback['hope'] {
  const code = codeOf(status);
  if (code !== undefined) {
    // Milvus Lite gives 1 to most of what it refuses; Milvus has this name for it, always.
    if (code === 1) return status.error_code === 'NotReadyServe' ? 'transient' : 'none';
    if (transient.has(code)) return 'transient';
    if (movingTopology.has(code)) return 'transient-for-reads';
    if (code === UNEXPECTED && HALF_DEAD.test(status.reason ?? '')) return 'transient-for-reads';
    if (isLasting(code)) return 'none';
  }
  return status.retriable ? 'transient' : 'none';
}

/** Milvus's 10000 Canceled and 10001 Timeout: its own time was up while it executed the request. */
function brokeOff(status: ResponseStatus): boolean {
  const code = codeOf(status);
  if (code === 10_000 || code === 10_001) return true;
  return code === UNEXPECTED && /context (deadline exceeded|canceled)/.test(status.reason ?? '');
}

/** Milvus answers, but only to say that it cannot work: 1 NotReady, 2 Unavailable, or its coordinators are gone. */
export function saysUnavailable(status: ResponseStatus): boolean {
  const code = codeOf(status);
  if (code === 1) return status.error_code === 'NotReadyServe';
  return code === 2 || (code === UNEXPECTED && HALF_DEAD.test(status.reason ?? ''));
}

/** As the SDK's `delete({ ids })` puts it. */
function isDeleteByKey(request: { ids?: unknown; filter?: unknown; expr?: unknown }): boolean {
  const { ids, filter, expr } = request;
  return Array.isArray(ids) && ids.length > 0 && !filter && /^\w+ in \[[^\]]*\]$/.test(String(expr));
}

/** Milvus has it already: what an earlier attempt was to make. */
export function saysExists({ code, reason = '' }: ResponseStatus): boolean {
  return code === RESOURCE_GROUP_EXISTS || /already exist|duplicate/i.test(reason);
}

const RESOURCE_GROUP_EXISTS = 301;

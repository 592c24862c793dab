import { GrpcCode } from './grpc-status.js';

/** HTTP/2 error codes in their order (RFC 9113, section 7). */
const names = [
  'NO_ERROR',
  'PROTOCOL_ERROR',
  'INTERNAL_ERROR',
  'FLOW_CONTROL_ERROR',
  'SETTINGS_TIMEOUT',
  'STREAM_CLOSED',
  'FRAME_SIZE_ERROR',
  'REFUSED_STREAM',
  'CANCEL',
  'COMPRESSION_ERROR',
  'CONNECT_ERROR',
  'ENHANCE_YOUR_CALM',
  'INADEQUATE_SECURITY',
  'HTTP_1_1_REQUIRED',
] as const;

/** `7` → `REFUSED_STREAM` */
export function http2ErrorName(code: number): string {
  return names[code] ?? `code ${code}`;
}

/** Which gRPC status the reset of a stream stands for (gRPC over HTTP/2, "Errors"). */
export function grpcCodeOfReset(code: number): number {
  switch (names[code]) {
    case 'REFUSED_STREAM':
      return GrpcCode.UNAVAILABLE;
    case 'CANCEL':
      return GrpcCode.CANCELLED;
    case 'ENHANCE_YOUR_CALM':
      return GrpcCode.RESOURCE_EXHAUSTED;
    case 'INADEQUATE_SECURITY':
      return GrpcCode.PERMISSION_DENIED;
    default:
      return GrpcCode.INTERNAL;
  }
}

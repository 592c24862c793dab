import { constants } from 'node:http2';
import { describe, expect, it } from '@jest/globals';
import { GrpcCode } from '../../lib/transport/grpc-status.js';
import { grpcCodeOfReset, http2ErrorName } from '../../lib/transport/http2-error.js';

describe('HTTP/2 error codes', () => {
  it.each([
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
  ] as const)('%s has the number that Node knows', name => {
    expect(http2ErrorName(constants[`NGHTTP2_${name}`])).toBe(name);
  });

  it('have a name even when nobody defined them', () => {
    expect([http2ErrorName(14), http2ErrorName(0xffff_ffff)]).toEqual(['code 14', 'code 4294967295']);
  });

  it.each([
    ['REFUSED_STREAM', 'UNAVAILABLE'],
    ['CANCEL', 'CANCELLED'],
    ['ENHANCE_YOUR_CALM', 'RESOURCE_EXHAUSTED'],
    ['INADEQUATE_SECURITY', 'PERMISSION_DENIED'],
    ['NO_ERROR', 'INTERNAL'],
    ['INTERNAL_ERROR', 'INTERNAL'],
    ['PROTOCOL_ERROR', 'INTERNAL'],
  ] as const)('%s resets a stream as %s', (name, code) => {
    expect(grpcCodeOfReset(constants[`NGHTTP2_${name}`])).toBe(GrpcCode[code]);
  });

  it('of a later time reset a stream as INTERNAL', () => {
    expect(grpcCodeOfReset(99)).toBe(GrpcCode.INTERNAL);
  });
});

import { status as grpcJsStatus } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  decodeGrpcMessage,
  GrpcCode,
  grpcCodeName,
  grpcCodeOfHttpStatus,
  parseGrpcStatus,
} from '../../lib/transport/grpc-status.js';
import { percentEncode } from '../support/stub-behaviours.js';

describe('gRPC status codes', () => {
  it('are those that everybody else has', () => {
    const theirs = Object.entries(grpcJsStatus).filter(([, code]) => typeof code === 'number');
    expect(GrpcCode).toEqual(Object.fromEntries(theirs));
  });

  it('have names, whatever the number', () => {
    for (const [name, code] of Object.entries(GrpcCode)) expect(grpcCodeName(code)).toBe(name);
    expect([grpcCodeName(17), grpcCodeName(-1), grpcCodeName(99)]).toEqual(['CODE_17', 'CODE_-1', 'CODE_99']);
  });

  it.each([
    ['0', 0],
    ['14', 14],
    ['0abc', GrpcCode.UNKNOWN],
    ['-1', GrpcCode.UNKNOWN],
    ['99', 99],
    [undefined, GrpcCode.UNKNOWN],
    ['', GrpcCode.UNKNOWN],
    ['OK', GrpcCode.UNKNOWN],
  ])('are read from the header %j', (value, code) => {
    expect(parseGrpcStatus(value)).toBe(code);
  });

  it('are integers whatever the header says', () => {
    const header = fc.oneof(fc.string(), fc.constant(undefined), fc.array(fc.string()));
    fc.assert(fc.property(header, value => expect(Number.isInteger(parseGrpcStatus(value))).toBe(true)));
  });

  it.each([
    [400, 'INTERNAL'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'UNIMPLEMENTED'],
    [429, 'UNAVAILABLE'],
    [502, 'UNAVAILABLE'],
    [503, 'UNAVAILABLE'],
    [504, 'UNAVAILABLE'],
    [500, 'UNKNOWN'],
    [200, 'UNKNOWN'],
    [Number.NaN, 'UNKNOWN'],
  ] as const)('stand for HTTP %d as the gRPC specification has it: %s', (http, name) => {
    expect(grpcCodeOfHttpStatus(http)).toBe(GrpcCode[name]);
  });
});

describe('grpc-message', () => {
  it('is read back as it was written, in any script', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        expect(decodeGrpcMessage(percentEncode(text))).toBe(text);
      }),
    );
  });

  it('never throws, and keeps what is not well encoded as it came', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('%', 'a', 'F', '2', 'g', 'é', ' ') }), text => {
        expect(typeof decodeGrpcMessage(text)).toBe('string');
      }),
    );
    for (const text of ['%', '%zz', '100% sure', '%C3', '%E4%BD']) expect(decodeGrpcMessage(text)).toBe(text);
    expect([decodeGrpcMessage(undefined), decodeGrpcMessage('')]).toEqual(['', '']);
  });
});

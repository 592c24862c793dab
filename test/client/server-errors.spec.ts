import { describe, expect, it } from '@jest/globals';
import { type FailedCall, withDelivered } from '../../lib/client/failed-call.js';
import { fromGrpcStatus, fromStatus } from '../../lib/client/server-errors.js';
import type { ResponseStatus } from '../../lib/endpoint/response-status.js';
import { MilvusRateLimitError, MilvusServerError } from '../../lib/index.js';
import { delivered, failedCall, rpcError, wire } from './failed-rpcs.js';

const refused = (status: ResponseStatus, more: Partial<FailedCall> = {}, rpc = 'Insert') =>
  fromStatus(status, rpc, { ...failedCall, ...more });

describe('the error of a refusal', () => {
  it.each<[string, ResponseStatus]>([
    ['its code', { code: 8, error_code: 'UnexpectedError' }],
    ['its code alone', { code: 8, error_code: 'Success' }],
    ['its name alone', { code: 0, error_code: 'RateLimit' }],
  ])('is one of the rate limit by %s', (_what, status) => {
    const error = refused(status);

    expect(error).toBeInstanceOf(MilvusRateLimitError);
    expect(error).toBeInstanceOf(MilvusServerError);
    expect(error.code).toBe('MILVUS_RATE_LIMIT');
  });

  it('has all that Milvus said, and names the step that it refused', () => {
    const status = { code: 100, error_code: 'CollectionNotExists', reason: 'no c', retriable: true };
    const cause = new TypeError('hides it');
    const error = fromStatus(status, 'DescribeCollection', failedCall, cause);

    expect(error.constructor).toBe(MilvusServerError);
    expect(error).toMatchObject({
      code: 'MILVUS_SERVER',
      client: 'search',
      method: 'insert',
      errorCode: 100,
      errorName: 'CollectionNotExists',
      reason: 'no c',
      retriable: true,
      cause,
    });
    expect(error.message).toBe(
      'Milvus client "search": insert: DescribeCollection: Milvus answered CollectionNotExists (code 100): no c',
    );
  });

  it('of an old server has its name alone', () => {
    const error = refused({ code: 0, error_code: 'CollectionNotExists', reason: 'no c' });

    expect(error).toMatchObject({ errorName: 'CollectionNotExists', retriable: false });
    expect(error.errorCode).toBeUndefined();
    expect(error.message).toBe('Milvus client "search": insert: Milvus answered CollectionNotExists: no c');
  });

  it('that Milvus calls Success is not quoted as such', () => {
    const error = refused({ code: 1100, error_code: 'Success', reason: 'no such field' });

    expect(error).toMatchObject({ errorCode: 1100, reason: 'no such field' });
    expect(error.message).not.toMatch(/Success/);
    expect(error.errorName).not.toBe('Success');
  });

  it('says how often it was sent, and why not once more', () => {
    const came = delivered({ attempts: 4, uncertain: false, stoppedBy: 'time' });
    const error = refused(
      { code: 8, error_code: 'RateLimit', reason: 'slow' },
      withDelivered(failedCall, came),
    );

    expect(error.message).toBe(
      'Milvus client "search": insert: Milvus answered RateLimit (code 8): slow. It was sent 4 times. There was no time to send it again',
    );
    expect(error.attempts).toBe(4);
    expect(error.outcomeUnknown).toBeUndefined();
  });

  it('says that it may have been executed all the same, if it is a write', () => {
    const after = (more: object) =>
      refused({ code: 5, reason: 'no' }, withDelivered(failedCall, delivered({ attempts: 2, ...more })));

    expect(after({}).message).toMatch(
      /: no\. It was sent 2 times\. An attempt of it may have been executed$/,
    );
    expect(after({ attempts: 1 }).message).toMatch(/: no\. Milvus may have executed it$/);
    expect(after({}).outcomeUnknown).toBe(true);
    expect(after({ writes: false }).message).not.toMatch(/may have/);
    expect(after({ writes: false }).outcomeUnknown).toBeUndefined();
  });
});

describe('the error of a gRPC status', () => {
  it('has its name, its code and its words', () => {
    const cause = rpcError(wire({ code: 9 }));
    const error = fromGrpcStatus('in words', cause, { ...failedCall, attempts: 2 });

    expect(error.constructor).toBe(MilvusServerError);
    expect(error.message).toBe('in words');
    expect(error).toMatchObject({
      client: 'search',
      method: 'insert',
      attempts: 2,
      grpcCode: 9,
      errorName: 'FAILED_PRECONDITION',
      reason: 'details',
      retriable: false,
      cause,
    });
    expect(error.errorCode).toBeUndefined();
  });
});

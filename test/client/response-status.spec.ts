import { describe, expect, it } from '@jest/globals';
import { assertSuccess, isSuccess, type ResponseStatus } from '../../lib/client/response-status.js';
import { MilvusServerError } from '../../lib/index.js';

const call = { client: 'search', method: 'insert' };

function errorOf(status: ResponseStatus): MilvusServerError {
  try {
    assertSuccess(status, call);
  } catch (error) {
    return error as MilvusServerError;
  }
  throw new Error('no error');
}

describe('a status', () => {
  it.each<[string, ResponseStatus, boolean]>([
    ['of a new server', { code: 0, error_code: 'Success' }, true],
    ['of an old server, which knows no code', { error_code: 'Success' }, true],
    ['with an empty name', { code: 0, error_code: '' }, true],
    ['with nothing in it', {}, true],
    ['with a code alone', { code: 100, error_code: 'Success' }, false],
    ['with a name alone', { code: 0, error_code: 'UnexpectedError' }, false],
    ['of an old server that refuses', { error_code: 'CollectionNotExists' }, false],
    ['with both', { code: 8, error_code: 'RateLimit' }, false],
  ])('%s is success or not', (_what, status, success) => {
    expect(isSuccess(status)).toBe(success);
    if (success) expect(() => assertSuccess(status, call)).not.toThrow();
    else expect(() => assertSuccess(status, call)).toThrow(MilvusServerError);
  });

  it('that is absent says nothing', () => {
    expect(() => assertSuccess(undefined, call)).not.toThrow();
    // What the SDK's decoder makes of an absent message.
    expect(() => assertSuccess(null as never, call)).not.toThrow();
  });

  it('becomes an error with all it says', () => {
    const error = errorOf({ code: 100, error_code: 'CollectionNotExists', reason: 'no c', retriable: true });

    expect(error).toMatchObject({
      name: 'MilvusServerError',
      code: 'MILVUS_SERVER',
      client: 'search',
      method: 'insert',
      errorCode: 100,
      errorName: 'CollectionNotExists',
      reason: 'no c',
      retriable: true,
    });
    expect(error.message).toBe(
      'Milvus client "search": insert: Milvus answered CollectionNotExists (code 100): no c',
    );
  });

  it('of an old server has its name alone', () => {
    const error = errorOf({ code: 0, error_code: 'CollectionNotExists', reason: 'no c' });

    expect(error).toMatchObject({ errorName: 'CollectionNotExists', retriable: false });
    expect(error.message).not.toMatch(/undefined|NaN/);
  });

  it('that calls a failure Success is not quoted as such', () => {
    const error = errorOf({ code: 1100, error_code: 'Success', reason: 'no such field' });

    expect(error).toMatchObject({ errorCode: 1100, reason: 'no such field' });
    expect(error.message).not.toMatch(/answered Success/);
    expect(error.errorName).not.toBe('Success');
  });
});

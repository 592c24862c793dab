import { describe, expect, it } from '@jest/globals';
import { codeOf, isSuccess, type ResponseStatus, refusalIn } from '../../lib/client/response-status.js';

const refused = { code: 100, error_code: 'CollectionNotExists' };
const fine = { code: 0, error_code: 'Success' };

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
    expect(refusalIn(status)).toBe(success ? undefined : status);
  });

  it.each([
    [{ code: 100 }, 100],
    [{ code: 0 }, undefined],
    [{}, undefined],
  ])('%j has the code %s', (status, code) => {
    expect(codeOf(status)).toBe(code);
  });
});

describe('an answer', () => {
  it.each<[string, object, ResponseStatus | undefined]>([
    ['that is a status', refused, refused],
    ['that has one', { status: refused }, refused],
    ['of AlterCollectionSchema', { alter_status: refused }, refused],
    [
      'about several collections',
      { status: fine, responses: [{ status: fine }, { status: refused }] },
      refused,
    ],
    ['about several collections, all well', { status: fine, responses: [{ status: fine }] }, undefined],
    ['without any', { version: '2.6' }, undefined],
    // What the decoder makes of a status that is not there.
    ['whose status is absent', { status: null, value: true }, undefined],
    ['that is empty', {}, undefined],
  ])('%s is looked at whole', (_what, answer, refusal) => {
    expect(refusalIn(answer)).toEqual(refusal);
  });
});

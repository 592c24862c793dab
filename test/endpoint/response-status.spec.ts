import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type MilvusService, milvusService } from '../../lib/client/rpc-channel.js';
import {
  asSuccess,
  codeOf,
  isRateLimit,
  isSuccess,
  type ResponseStatus,
  refusalIn,
} from '../../lib/endpoint/response-status.js';
import { answersExists } from '../../lib/endpoint/rpc-catalogue.js';
import { closeClients, pooledClient } from '../support/pooled-client.js';

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

describe('the rate limit', () => {
  it.each<[ResponseStatus, boolean]>([
    [{ code: 8 }, true],
    [{ code: 0, error_code: 'RateLimit' }, true],
    [{ code: 80 }, false],
    [{ code: 2, error_code: 'UnexpectedError' }, false],
    [{}, false],
  ])('is told by code or name: %j', (status, expected) => {
    expect(isRateLimit(status)).toBe(expected);
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

describe('an answer that is made a success', () => {
  let service: MilvusService;

  beforeAll(() => {
    service = milvusService(pooledClient('127.0.0.1:1'));
  });

  afterAll(closeClients);

  /** UnexpectedError, "it", code 5. */
  const status = Buffer.from('0801120269741805', 'hex');
  const inField1 = Buffer.concat([Buffer.from([0x0a, status.length]), status]);
  const success = { code: 0, error_code: 'Success', reason: '', retriable: false };

  it.each([
    ['CreateDatabase', status, success],
    ['CreateNamespace', inField1, { status: success }],
    ['AlterCollectionSchema', inField1, { alter_status: success }],
  ])('is, of %s, what the SDK reads where Milvus has nothing against it', (rpc, message, expected) => {
    const method = service.methods.get(rpc)!;
    const refused = method.deserialize(message);
    expect(refusalIn(refused)).toMatchObject({ code: 5, error_code: 'UnexpectedError', reason: 'it' });

    const made = asSuccess(refused, method);
    expect(made).toMatchObject(expected);
    expect(Object.keys(made)).toEqual(Object.keys(refused));
  });

  it('says so for every RPC of which one is made', () => {
    const creators = [...service.methods.values()].filter(({ name }) => answersExists(name));
    for (const method of creators) {
      const bare = 'error_code' in method.deserialize(Buffer.alloc(0));
      const refused = method.deserialize(bare ? status : inField1);
      const made: { status?: object; alter_status?: object } = asSuccess(refused, method);

      expect([method.name, refusalIn(refused)]).toEqual([method.name, expect.objectContaining({ code: 5 })]);
      expect([method.name, made.status ?? made.alter_status ?? made]).toEqual([
        method.name,
        expect.objectContaining(success),
      ]);
    }
    expect(creators.length).toBeGreaterThan(5);
  });
});

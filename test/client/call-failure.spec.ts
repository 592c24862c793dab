import { describe, expect, it } from '@jest/globals';
import {
  type CallFailure,
  isSchemaMismatch,
  mayBeForTheSchema,
  unhandledFailure,
} from '../../lib/client/call-failure.js';
import type { ResponseStatus } from '../../lib/endpoint/response-status.js';
import { RpcError } from '../../lib/endpoint/rpc.js';

const refused = (rpc: string, code: number, more: ResponseStatus = {}): CallFailure => ({
  rpc,
  status: { code, error_code: 'UnexpectedError', ...more },
});
const broken = (rpc: string, code = 14): CallFailure => ({
  rpc,
  error: new RpcError(rpc, code, 'gone', { at: 'call' }),
});

describe('a failure', () => {
  it.each<[string, CallFailure]>([
    ['hasCollection', refused('DescribeCollection', 100)],
    ['hasPartition', refused('HasPartition', 200)],
    ['hasPartition', refused('HasPartition', 100)],
    ['createCollection', refused('DescribeCollection', 100)],
    ['createCollection', refused('DescribeIndex', 700)],
    ['addCollectionField', broken('AlterCollectionSchema', 12)],
    ['dropAllRoles', refused('DropRole', 65535, { reason: 'the role[admin] is a default role' })],
  ])('that %s deals with is none of the call', (method, failure) => {
    expect(unhandledFailure(method, [failure])).toBeUndefined();
  });

  it.each<[string, CallFailure]>([
    ['search', refused('DescribeCollection', 100)],
    ['hasCollection', refused('DescribeCollection', 8)],
    ['hasCollection', refused('DescribeCollection', 800)],
    ['hasCollection', broken('DescribeCollection')],
    ['createCollection', refused('CreateCollection', 100)],
    ['createCollection', refused('CreateIndex', 700)],
    ['addCollectionField', refused('AddCollectionField', 1100)],
    ['addCollectionField', broken('AlterCollectionSchema', 14)],
    ['dropAllRoles', refused('DropRole', 65535, { reason: 'role is in use' })],
    ['aMethodOfALaterSdk', refused('Anything', 1)],
  ])("of %s that nobody dealt with is the call's", (method, failure) => {
    expect(unhandledFailure(method, [failure])).toBe(failure);
  });

  it('that comes first is the one that is told', () => {
    const [handled, first, second] = [
      refused('DescribeCollection', 100),
      refused('CreateIndex', 1100),
      refused('CreateIndex', 5),
    ];
    expect(unhandledFailure('createCollection', [handled, first, second])).toBe(first);
  });

  it.each<[CallFailure, boolean]>([
    [refused('Insert', 109), true],
    [refused('Insert', 0, { error_code: 'SchemaMismatch' }), true],
    [refused('Insert', 1100), false],
    [broken('Insert'), false],
  ])('is a schema mismatch or not: %j', (failure, expected) => {
    expect(isSchemaMismatch(failure)).toBe(expected);
  });

  it.each<[string, CallFailure, boolean]>([
    ['a parameter', refused('Search', 1100), true],
    ['an unexpected error, as Milvus 2.3 tells much', refused('Search', 65535), true],
    ['a collection that is not there', refused('Search', 100), true],
    ['a server that has no codes', refused('Search', 0), true],
    ['the rate limit', refused('Search', 8), false],
    ['the rate limit of an old server', refused('Search', 0, { error_code: 'RateLimit' }), false],
    ['what is not loaded', refused('Search', 101), false],
    ['a missing permission', refused('Search', 1401), false],
    ['what Milvus calls transient', refused('Search', 1100, { retriable: true }), false],
    ['a broken connection', broken('Search'), false],
  ])('may be for the schema or not: %s', (_what, failure, expected) => {
    expect(mayBeForTheSchema(failure)).toBe(expected);
  });
});

import { describe, expect, it } from '@jest/globals';
import type { ResponseStatus } from '../../lib/endpoint/response-status.js';
import {
  saysExists,
  saysUnavailable,
  setbackOfFailure,
  setbackOfStatus,
} from '../../lib/endpoint/setback.js';
import type { Setback } from '../../lib/resilience/setback.js';
import type { AttemptFailure } from '../../lib/transport/attempt.js';
import { failed } from './attempts.js';

const is = (fate: Setback['fate'], hope: Setback['hope']): Setback => ({ fate, hope });

describe('what a gRPC status of the server means for another attempt', () => {
  it.each<[string, number, Setback]>([
    ['CANCELLED', 1, is('unknown', 'transient')],
    ['UNKNOWN', 2, is('unknown', 'none')],
    ['INVALID_ARGUMENT', 3, is('refused', 'none')],
    ['DEADLINE_EXCEEDED', 4, is('unknown', 'none')],
    ['NOT_FOUND', 5, is('refused', 'none')],
    ['ALREADY_EXISTS', 6, is('refused', 'none')],
    ['PERMISSION_DENIED', 7, is('refused', 'none')],
    ['RESOURCE_EXHAUSTED', 8, is('unknown', 'none')],
    ['FAILED_PRECONDITION', 9, is('refused', 'none')],
    ['ABORTED', 10, is('unknown', 'none')],
    ['OUT_OF_RANGE', 11, is('refused', 'none')],
    ['UNIMPLEMENTED', 12, is('refused', 'none')],
    ['INTERNAL', 13, is('unknown', 'none')],
    ['UNAVAILABLE', 14, is('unknown', 'transient')],
    ['DATA_LOSS', 15, is('unknown', 'none')],
    ['UNAUTHENTICATED', 16, is('refused', 'none')],
    ['a code that gRPC does not know', 99, is('unknown', 'none')],
  ])('%s (%i)', (_name, code, expected) => {
    expect(setbackOfFailure(failed({ code }))).toEqual(expected);
  });

  it.each<[string, number, Setback]>([
    ['HTTP 500, as of a proxy that handed it on', 2, is('unknown', 'none')],
    ['401', 16, is('refused', 'none')],
    ['403', 7, is('refused', 'none')],
    ['400', 13, is('refused', 'none')],
    ['404', 12, is('refused', 'none')],
    ['a proxy that has no Milvus', 14, is('unknown', 'transient')],
  ])('that is none: %s', (_what, code, expected) => {
    expect(setbackOfFailure(failed({ code, notGrpc: true }))).toEqual(expected);
  });
});

describe('RESOURCE_EXHAUSTED', () => {
  it.each([
    ['grpc: received message larger than max (71 vs. 64)', 'refused'],
    ['Received message larger than max (71 vs. 64)', 'refused'],
    ['trying to send message larger than max (71 vs. 64)', 'unknown'],
    ['CLIENT: Sent message larger than max (71 vs. 64)', 'unknown'],
    ['out of memory', 'unknown'],
  ] as const)('is a refusal where the request is too large: %s', (message, fate) => {
    expect(setbackOfFailure(failed({ code: 8, message }))).toEqual(is(fate, 'none'));
  });
});

describe('what a broken transport means for another attempt', () => {
  it.each<[string, Partial<AttemptFailure>, Setback]>([
    ['a connection that broke', { connectionDied: true }, is('unknown', 'transient')],
    [
      'one that broke before it was sent',
      { connectionDied: true, processed: 'no' },
      is('not-processed', 'transient'),
    ],
    ['a stream that was refused', { processed: 'no', resetCode: 7 }, is('not-processed', 'transient')],
    ['GOAWAY below it', { processed: 'no' }, is('not-processed', 'transient')],
    ['a stream that was reset', { code: 13, resetCode: 2 }, is('unknown', 'transient')],
    ['a stream that was cancelled', { code: 1, resetCode: 8 }, is('unknown', 'transient')],
    ['a server under stress', { code: 8, resetCode: 11 }, is('unknown', 'transient')],
    ['a connection that is not safe enough', { code: 7, resetCode: 12 }, is('unknown', 'none')],
    ['no status', { code: 2 }, is('unknown', 'transient')],
    ['an answer that cannot be read', { code: 13, unreadable: true }, is('unknown', 'none')],
    ['an answer that is too large', { code: 8, unreadable: true }, is('unknown', 'none')],
  ])('%s', (_what, attempt, expected) => {
    expect(setbackOfFailure(failed({ origin: 'transport', ...attempt }))).toEqual(expected);
  });
});

describe('what the caller himself ended', () => {
  it.each<[string, Partial<AttemptFailure>, Setback]>([
    ['by his deadline', { code: 4 }, is('unknown', 'none')],
    ['by giving up', { code: 1 }, is('unknown', 'none')],
    ['before it was on the wire', { code: 1, processed: 'no' }, is('not-processed', 'none')],
    ['with what cannot be sent', { code: 3, processed: 'no' }, is('not-processed', 'none')],
  ])('is not sent again: %s', (_how, attempt, expected) => {
    expect(setbackOfFailure(failed({ origin: 'caller', ...attempt }))).toEqual(expected);
  });
});

const ofStatus = (status: ResponseStatus, rpc = 'Search', request: object = {}) =>
  setbackOfStatus(status, rpc, request);
const named = 'UnexpectedError';

describe('what a refusal of Milvus means for another attempt', () => {
  const transient = [2, 4, 12, 103, 106, 110, 202, 305, 505, 507, 1002, 1003, 1807, 2200];
  const forReads = [401, 503, 901, 902, 904, 905];
  const lasting = [3, 5, 6, 7, 9, 10, 11, 100, 101, 1100, 1199, 1400, 1401, 1499, 1800, 1801, 1899, 65_535];

  it.each(transient)('code %i passes, whatever its flag says', code => {
    for (const retriable of [true, false, undefined]) {
      expect(ofStatus({ code, error_code: named, retriable })).toEqual(is('refused', 'transient'));
    }
  });

  it.each(forReads)('code %i passes for what reads, whatever its flag says', code => {
    for (const retriable of [true, false, undefined]) {
      expect(ofStatus({ code, error_code: named, retriable })).toEqual(is('refused', 'transient-for-reads'));
    }
  });

  it.each(lasting)('code %i lasts, whatever its flag says', code => {
    for (const retriable of [true, false, undefined]) {
      expect(ofStatus({ code, error_code: named, retriable })).toEqual(is('refused', 'none'));
    }
  });

  it.each([102, 109, 200, 700, 1200, 1099, 1999, 2000, 65_534])('code %i goes by its flag', code => {
    expect(ofStatus({ code, retriable: true })).toEqual(is('refused', 'transient'));
    expect(ofStatus({ code, retriable: false })).toEqual(is('refused', 'none'));
    expect(ofStatus({ code })).toEqual(is('refused', 'none'));
  });

  it('a server that knows no codes goes by its flag', () => {
    expect(ofStatus({ code: 0, error_code: named, retriable: true }).hope).toBe('transient');
    expect(ofStatus({ error_code: named }).hope).toBe('none');
  });

  it.each([2, 8, 401, 700])('code %i lasts where the input is at fault', code => {
    const extra_info = { is_input_error: 'true' };
    expect(ofStatus({ code, retriable: true, extra_info })).toEqual(is('refused', 'none'));
    const other = { is_input_error: 'false' };
    expect(ofStatus({ code, retriable: true, extra_info: other }).hope).not.toBe('none');
    expect(ofStatus({ code, retriable: true, extra_info: null }).hope).not.toBe('none');
  });

  it.each([
    ['NotReadyServe', 'transient'],
    // What Milvus Lite makes of it.
    ['Success', 'none'],
    ['UnexpectedError', 'none'],
    [undefined, 'none'],
  ])('code 1 is Milvus\'s "not ready" by its name only: %s', (error_code, hope) => {
    expect(ofStatus({ code: 1, error_code, retriable: true }).hope).toBe(hope);
  });

  it.each([
    ['find no available rootcoord, check rootcoord state', 'transient-for-reads'],
    ['find no available datacoord', 'transient-for-reads'],
    ['querycoord is not ready', 'transient-for-reads'],
    ['RootCoordinator not healthy', 'transient-for-reads'],
    ['mixcoord unavailable', 'transient-for-reads'],
    ['field coordinates is not an array', 'none'],
    ['the role[admin] is a default role', 'none'],
    ['', 'none'],
    [undefined, 'none'],
  ])('code 65535 passes for what reads when a server lost its coordinators: %s', (reason, hope) => {
    expect(ofStatus({ code: 65_535, reason, retriable: true })).toEqual(
      is('refused', hope as Setback['hope']),
    );
  });
});

describe('Milvus whose own time was up', () => {
  it.each<[ResponseStatus, Setback['fate']]>([
    [{ code: 10_000 }, 'unknown'],
    [{ code: 10_001 }, 'unknown'],
    [{ code: 65_535, reason: 'rpc error: context deadline exceeded' }, 'unknown'],
    [{ code: 65_535, reason: 'context canceled' }, 'unknown'],
    [{ code: 65_535, reason: 'deadline of the context' }, 'refused'],
    [{ code: 1100, reason: 'context deadline exceeded is no field' }, 'refused'],
    [{ code: 10_002 }, 'refused'],
  ])('may have executed it: %j', (status, fate) => {
    expect(ofStatus({ error_code: named, ...status })).toEqual(is(fate, 'none'));
  });
});

describe('the rate limit', () => {
  const limit = { code: 8, error_code: 'RateLimit', retriable: false };

  it.each<[string, ResponseStatus]>([
    ['its code', { code: 8, error_code: named }],
    ['its name alone', { code: 0, error_code: 'RateLimit' }],
    ['both', limit],
  ])('proves by %s that nothing was executed', (_what, status) => {
    for (const rpc of ['Search', 'Insert', 'DropCollection']) {
      expect(ofStatus(status, rpc)).toEqual(is('not-processed', 'rate-limited'));
    }
  });

  it.each<[string, object, Setback['fate']]>([
    ['by numbers', { ids: [1, 2], expr: 'id in [1,2]' }, 'not-processed'],
    ['by texts', { ids: ['a'], expr: 'key in ["a"]' }, 'not-processed'],
    ['by filter', { filter: 'id > 5', expr: 'id > 5' }, 'unknown'],
    ['by a filter that looks like keys', { filter: 'id in [1]', expr: 'id in [1]' }, 'unknown'],
    ['by filter beside keys', { ids: [1], filter: 'id > 5', expr: 'id > 5' }, 'unknown'],
    [
      'by a filter of keys and more',
      { ids: [1], filter: 'id in [1] or a > 1', expr: 'id in [1] or a > 1' },
      'unknown',
    ],
    ['by expression', { expr: 'id in [1]' }, 'unknown'],
    ['by no keys', { ids: [], expr: 'id in []' }, 'unknown'],
    ['by keys that the request does not use', { ids: [1], expr: 'a > 1 and id in [1]' }, 'unknown'],
    ['by nothing', {}, 'unknown'],
  ])('may come in the middle of a Delete: %s', (_what, request, fate) => {
    expect(ofStatus(limit, 'Delete', request)).toEqual(is(fate, 'rate-limited'));
  });
});

describe('an answer that it exists already', () => {
  it.each<[ResponseStatus, boolean]>([
    [{ code: 65_535, reason: 'database already exist: books' }, true],
    [{ code: 1100, reason: 'field already exists, name: a' }, true],
    [{ code: 1100, reason: 'Duplicate field name: a' }, true],
    [{ code: 301 }, true],
    [{ code: 300, reason: 'resource group not found' }, false],
    [{ code: 1100, reason: 'no such field' }, false],
    [{ code: 2 }, false],
  ])('is told by its words, or its code: %j', (status, expected) => {
    expect(saysExists(status)).toBe(expected);
  });
});

describe('an answer that it cannot work', () => {
  it.each<[ResponseStatus, boolean]>([
    [{ code: 1, error_code: 'NotReadyServe' }, true],
    // What Milvus Lite gives to most of what it refuses.
    [{ code: 1, error_code: 'UnexpectedError' }, false],
    [{ code: 1 }, false],
    [{ code: 2 }, true],
    [{ code: 2, error_code: 'UnexpectedError', reason: 'service unavailable' }, true],
    [{ code: 65_535, reason: 'find no available rootcoord, check rootcoord state' }, true],
    [{ code: 65_535, reason: 'field coordinates is not an array' }, false],
    [{ code: 65_535 }, false],
    [{ code: 1100, reason: 'find no available rootcoord' }, false],
    [{ code: 4 }, false],
    [{ code: 8, error_code: 'RateLimit' }, false],
    [{ code: 12 }, false],
    [{ code: 100 }, false],
    [{ error_code: 'UnexpectedError' }, false],
  ])('is told by its code: %j', (status, expected) => {
    expect(saysUnavailable(status)).toBe(expected);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  type CallScope,
  checkAcquireOptions,
  checkExecuteOptions,
  narrow,
} from '../../lib/client/call-scope.js';
import { MilvusConfigurationError } from '../../lib/index.js';
import { optionDefaults } from '../../lib/options/defaults.js';

const retry = { maxAttempts: 7, initialDelayMs: 5, maxDelayMs: 50, multiplier: 3, jitter: 'none' as const };
const base: CallScope = { errors: 'throw', retry };
const where = { client: 'search', method: 'with' };
const { signal } = new AbortController();
const before: CallScope = {
  timeoutMs: 5,
  signals: [signal],
  database: 'books',
  retry,
  idempotent: true,
  errors: 'status',
};

/** The error that it throws, which says client and method. */
function refusal(attempt: () => void): string {
  let error: unknown;
  try {
    attempt();
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(MilvusConfigurationError);
  const { message, client, method } = error as MilvusConfigurationError;
  expect(message).toMatch(`Milvus client "${client}": ${method}(): `);
  return message;
}

describe('the scope of a derived client', () => {
  it('has what was given', () => {
    const options = { timeoutMs: 5, signal, database: 'books', idempotent: true, errors: 'status' as const };

    expect(narrow(base, options, where)).toEqual({ ...before, retry });
  });

  it('has what the one before had, where nothing was given', () => {
    expect(narrow(before, {}, where)).toEqual(before);
    // Calls of one policy share their questions for a schema.
    expect(narrow(before, {}, where).retry).toBe(retry);
    const nothing = { timeoutMs: undefined, signal: undefined, retry: undefined, idempotent: undefined };
    expect(narrow(before, nothing, where)).toEqual(before);
  });

  it('adds up limits, and takes the later of all else', () => {
    const other = new AbortController().signal;
    const options = {
      timeoutMs: 50,
      signal: other,
      database: 'films',
      retry: false as const,
      idempotent: false,
      errors: 'throw' as const,
    };

    expect(narrow(before, options, where)).toEqual({
      timeoutMs: 5,
      signals: [signal, other],
      database: 'films',
      retry: false,
      idempotent: false,
      errors: 'throw',
    });
  });

  it('never has more time than any of those before', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1 }), limits => {
        const scope = limits.reduce((so, timeoutMs) => narrow(so, { timeoutMs }, where), base);
        expect(scope.timeoutMs).toBe(Math.min(...limits));
      }),
    );
  });

  it('keeps what else it was made with', () => {
    const lease = { released: false } as unknown as CallScope['lease'];
    expect(narrow({ ...base, lease }, { timeoutMs: 1 }, where).lease).toBe(lease);
  });

  it('changes of the retries what is given, and nothing for who shares the one before', () => {
    const scope = narrow(base, { retry: { maxAttempts: 2, jitter: 'full' } }, where);

    expect(scope.retry).toEqual({ ...retry, maxAttempts: 2, jitter: 'full' });
    expect(narrow(scope, { retry: { multiplier: 1 } }, where).retry).toMatchObject({
      maxAttempts: 2,
      multiplier: 1,
    });
    expect(base.retry).toBe(retry);
  });

  it('has the defaults where retries were off and are on again', () => {
    const off = narrow(base, { retry: false }, where);
    expect(narrow(off, { retry: { maxAttempts: 5 } }, where).retry).toEqual({
      ...optionDefaults.retry,
      maxAttempts: 5,
    });
  });

  it.each([
    ['timeoutMs', Number.NaN, 'a number of milliseconds above 0'],
    ['timeoutMs', Number.POSITIVE_INFINITY, 'a number of milliseconds above 0'],
    ['timeoutMs', 0, 'a number of milliseconds above 0'],
    ['timeoutMs', -1, 'a number of milliseconds above 0'],
    ['timeoutMs', '5', 'a number of milliseconds above 0'],
    ['signal', null, 'an AbortSignal'],
    ['database', 'with space', 'a name of visible ASCII characters'],
    ['errors', true, "'throw' or 'status'"],
    ['retry', true, 'false or an object'],
    ['retry', null, 'false or an object'],
    ['retry', 3, 'false or an object'],
    ['idempotent', 'yes', 'true or false'],
    ['idempotent', null, 'true or false'],
  ])('is refused for %s: %p, by name and without the value', (name, value, must) => {
    const message = refusal(() => narrow(base, { [name]: value }, { client: 'search', method: 'use' }));
    expect(message).toBe(`Milvus client "search": use(): \`${name}\` must be ${must}`);
  });

  it.each([
    [{ maxAttempts: 0 }, '`retry.maxAttempts` must be an integer of at least 1, but is 0'],
    [{ multiplier: 0.5 }, '`retry.multiplier` must be a number of at least 1, but is 0.5'],
    [{ maxAttemps: 2 }, "`retry.maxAttemps` is not an option: did you mean 'maxAttempts'?"],
    [{ jitter: 'some' }, "`retry.jitter` must be one of 'full', 'equal', 'none', but is another string"],
    [
      { initialDelayMs: 51 },
      '`retry.initialDelayMs` is 51, above retry.maxDelayMs, which is 50 as before: lower the one or raise the other',
    ],
    [[], '`retry` must be false or an object, but is an array'],
  ])('is refused for the retries %j', (given, fault) => {
    const message = refusal(() => narrow(base, { retry: given as object }, where));
    expect(message).toBe(`Milvus client "search": with(): ${fault}`);
  });

  it.each([null, 'timeoutMs', 5])('is refused for what is no object: %p', options => {
    const message = refusal(() => narrow(base, options as never, where));
    expect(message).toBe('Milvus client "search": with(): the options must be an object');
  });

  it('is refused for an option that nobody knows, and says which there are', () => {
    const message = refusal(() => narrow(base, { timeout: 5 } as object, where));
    expect(message).toMatch(
      /`timeout` is unknown\. Known: timeoutMs, signal, database, retry, idempotent, errors$/,
    );
    refusal(() => narrow(base, { toString: 5 } as object, where));
  });
});

describe('the options of execute()', () => {
  it('may be a limit, a signal, and the word that it may run twice', () => {
    expect(() => checkExecuteOptions({ timeoutMs: 5, signal, idempotent: true }, 'search')).not.toThrow();
    expect(() => checkExecuteOptions({ timeoutMs: undefined }, 'search')).not.toThrow();
  });

  it.each([
    ['timeoutMs', 0, /must be a number of milliseconds above 0$/],
    ['signal', {}, /must be an AbortSignal$/],
    ['idempotent', 1, /must be true or false$/],
    ['retry', false, /is unknown\. Known: timeoutMs, signal, idempotent$/],
    ['database', 'books', /is unknown/],
  ])('are refused for %s: %p', (name, value, fault) => {
    const message = refusal(() => checkExecuteOptions({ [name]: value }, 'search'));
    expect(message).toMatch(new RegExp(`^Milvus client "search": execute\\(\\): \`${name}\` `));
    expect(message).toMatch(fault);
  });
});

describe('the options of pool.acquire()', () => {
  it.each([
    ['timeoutMs', Number.NaN, /must be a number of milliseconds above 0$/],
    ['signal', signal, /is unknown\. Known: timeoutMs$/],
  ])('are refused for %s', (name, value, fault) => {
    const message = refusal(() => checkAcquireOptions({ [name]: value }, 'search'));
    expect(message).toMatch(new RegExp(`^Milvus client "search": pool\\.acquire\\(\\): \`${name}\` `));
    expect(message).toMatch(fault);
  });

  it('may be a limit', () => {
    expect(() => checkAcquireOptions({ timeoutMs: 5 }, 'search')).not.toThrow();
  });
});

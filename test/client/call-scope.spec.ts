import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type CallScope, narrow } from '../../lib/client/call-scope.js';
import { MilvusConfigurationError } from '../../lib/index.js';

const base: CallScope = { errors: 'throw' };
const where = { client: 'search', method: 'with' };
const { signal } = new AbortController();

describe('the scope of a derived client', () => {
  it('has what was given', () => {
    const options = { timeoutMs: 5, signal, database: 'books', errors: 'status' as const };

    expect(narrow(base, options, where)).toEqual({
      timeoutMs: 5,
      signals: [signal],
      database: 'books',
      errors: 'status',
    });
  });

  it('has what the one before had, where nothing was given', () => {
    const before: CallScope = { timeoutMs: 5, signals: [signal], database: 'books', errors: 'status' };

    expect(narrow(before, {}, where)).toEqual(before);
  });

  it('adds up limits, and takes the later database and error mode', () => {
    const other = new AbortController().signal;
    const before: CallScope = { timeoutMs: 5, signals: [signal], database: 'books', errors: 'status' };
    const options = { timeoutMs: 50, signal: other, database: 'films', errors: 'throw' as const };

    expect(narrow(before, options, where)).toEqual({
      timeoutMs: 5,
      signals: [signal, other],
      database: 'films',
      errors: 'throw',
    });
  });

  it('never has more time than any of those before', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1 }), limits => {
        const scope = limits.reduce((before, timeoutMs) => narrow(before, { timeoutMs }, where), base);
        expect(scope.timeoutMs).toBe(Math.min(...limits));
      }),
    );
  });

  it.each([
    ['timeoutMs', Number.NaN],
    ['timeoutMs', Number.POSITIVE_INFINITY],
    ['timeoutMs', -1],
    ['signal', null],
    ['database', 'with space'],
    ['errors', true],
    ['retry', {}],
  ])('is refused for %s: %p, by name and without the value', (name, value) => {
    const refused = () => narrow(base, { [name]: value }, { client: 'search', method: 'use' });

    expect(refused).toThrow(MilvusConfigurationError);
    expect(refused).toThrow(new RegExp(`^Milvus client "search": use\\(\\): \`${name}\` `));
  });
});

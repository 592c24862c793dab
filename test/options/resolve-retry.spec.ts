import { describe, expect, it } from '@jest/globals';
import { MilvusConfigurationError } from '../../lib/errors/configuration-errors.js';
import { optionDefaults } from '../../lib/options/defaults.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import { changeRetry } from '../../lib/options/resolve-retry.js';
import { faultOf, faultsOf } from './expect-faults.js';

const where = { client: 'search', method: 'with' };
const { retry: defaults } = optionDefaults;
const own = { maxAttempts: 9, initialDelayMs: 10, maxDelayMs: 100, multiplier: 4, jitter: 'none' as const };

describe('the option `retry`', () => {
  const of = (retry: unknown) => resolveClientOptions('a', { address: 'h', retry }).retry;

  it('is off, or has what was given and the defaults besides', () => {
    expect(of(false)).toBe(false);
    expect(of(undefined)).toEqual(defaults);
    expect(of({})).toEqual(defaults);
    expect(of({ maxAttempts: 1, jitter: undefined })).toEqual({ ...defaults, maxAttempts: 1 });
    expect(of(own)).toEqual(own);
  });

  it.each([
    [{ initialDelayMs: 300, maxDelayMs: 200 }, 'is 300, above retry.maxDelayMs, which is 200: '],
    [{ initialDelayMs: 3_000 }, 'is 3000, above retry.maxDelayMs, which is 2000 by default: '],
    [{ maxDelayMs: 20 }, 'is 50 by default, above retry.maxDelayMs, which is 20: '],
  ])('is refused where the first pause is above the longest: %j', (retry, fault) => {
    expect(faultOf({ retry })).toBe(`retry.initialDelayMs: ${fault}lower the one or raise the other`);
  });

  it('may have both pauses alike', () => {
    expect(faultsOf({ address: 'h', retry: { initialDelayMs: 200, maxDelayMs: 200 } })).toEqual([]);
  });

  it('has one fault where one of the two is no number', () => {
    expect(faultOf({ retry: { initialDelayMs: 300, maxDelayMs: '200' } })).toMatch(
      /^retry\.maxDelayMs: must be/,
    );
  });
});

describe('a change of the retries', () => {
  it('has of the ones before what is not given', () => {
    expect(changeRetry({ maxAttempts: 2 }, own, where)).toEqual({ ...own, maxAttempts: 2 });
    expect(changeRetry({}, own, where)).toEqual(own);
    expect(own.maxAttempts).toBe(9);
  });

  it('turns them off, and on again with the defaults', () => {
    expect(changeRetry(false, own, where)).toBe(false);
    expect(changeRetry({ maxAttempts: 2 }, false, where)).toEqual({ ...defaults, maxAttempts: 2 });
  });

  it.each([
    [{ initialDelayMs: 101 }, own, 'is 101, above retry.maxDelayMs, which is 100 as before'],
    [{ maxDelayMs: 9 }, own, 'is 10 as before, above retry.maxDelayMs, which is 9'],
    [{ initialDelayMs: 2_001 }, false as const, 'is 2001, above retry.maxDelayMs, which is 2000 by default'],
  ])('is refused where the first pause is above the longest: %j', (given, before, fault) => {
    const change = () => changeRetry(given, before, where);

    expect(change).toThrow(MilvusConfigurationError);
    expect(change).toThrow(expect.objectContaining({ client: 'search', method: 'with' }));
    expect(change).toThrow(
      `Milvus client "search": with(): \`retry.initialDelayMs\` ${fault}: lower the one`,
    );
  });

  it('tells all faults at once', () => {
    expect(() => changeRetry({ maxAttempts: 0, multiplier: 0 }, own, where)).toThrow(
      /^Milvus client "search": with\(\): `retry\.maxAttempts` must be .*; `retry\.multiplier` must be [^\n]*$/,
    );
  });
});

import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { fingerprint } from '../../lib/options/fingerprint.js';

/** What options are made of, but for functions. */
const leaf = fc.oneof(
  fc.string(),
  fc.constantFrom('', 'undefined', 'null', 'true', '1', '{}', '[]', 'a":1,"b', 'function'),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(value => value + 0),
  fc.boolean(),
  fc.constant(null),
);
const key = fc.constantFrom('a', 'b', 'ab', 'a":1,"b', '', 'c');
const { value } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { maxDepth: 3 },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(key, tie('value'), { maxKeys: 4 }),
  ),
}));

/** The same, with its keys in another order. */
function reordered(original: unknown): unknown {
  if (Array.isArray(original)) return original.map(reordered);
  if (typeof original !== 'object' || original === null) return original;
  const entries = Object.entries(original).map(([name, each]) => [name, reordered(each)] as const);
  return Object.fromEntries(entries.reverse());
}

const plain = (given: unknown): unknown => JSON.parse(JSON.stringify(given));

describe('the fingerprint', () => {
  it('does not depend on the order of keys, at any depth', () => {
    fc.assert(fc.property(value, given => fingerprint(given) === fingerprint(reordered(given))));
  });

  it('is the same exactly for what is equal', () => {
    fc.assert(
      fc.property(value, value, (a, b) => {
        const equal = isDeepStrictEqual(plain(a), plain(b));
        return (fingerprint(a) === fingerprint(b)) === equal;
      }),
      { numRuns: 1_000 },
    );
  });

  it('differs when one value in it does', () => {
    fc.assert(
      fc.property(value, leaf, leaf, (rest, a, b) => {
        fc.pre(!isDeepStrictEqual(plain(a), plain(b)));
        return fingerprint({ rest, deep: [{ of: a }] }) !== fingerprint({ rest, deep: [{ of: b }] });
      }),
    );
  });

  it('takes the order of a list for a part of it', () => {
    expect(fingerprint(['a', 'b'])).not.toBe(fingerprint(['b', 'a']));
    expect(fingerprint([['a'], 'b'])).not.toBe(fingerprint(['a', ['b']]));
  });

  it('takes an option of `undefined` for one that is not given, and no other for that', () => {
    expect(fingerprint({ a: 1, b: undefined })).toBe(fingerprint({ a: 1 }));
    const others = [null, false, 0, '', 'undefined', {}, []].map(b => fingerprint({ a: 1, b }));
    expect(new Set([fingerprint({ a: 1 }), ...others]).size).toBe(8);
    expect(fingerprint(undefined)).not.toBe(fingerprint({}));
  });

  it('takes a Buffer for its text', () => {
    const pem = '-----BEGIN CERTIFICATE-----\nä\n';
    expect(fingerprint({ ca: Buffer.from(pem) })).toBe(fingerprint({ ca: pem }));
    expect(fingerprint({ ca: Buffer.from(pem) })).not.toBe(fingerprint({ ca: Buffer.from(`${pem}\n`) }));
    expect(fingerprint([Buffer.from('a'), Buffer.from('b')])).toBe(fingerprint(['a', 'b']));
  });

  it('knows of a function only that it is one', () => {
    const one = { credentials: () => ({ token: 'a' }) };
    const other = { credentials: async () => ({ token: 'b' }) };
    expect(fingerprint(one)).toBe(fingerprint(other));
    const no = [{}, { credentials: 'function' }, { credentials: true }].map(fingerprint);
    expect(no).not.toContain(fingerprint(one));
  });

  it('shows nothing of what it is made of, and is short', () => {
    const shown = fingerprint({ password: 'open sesame'.repeat(1_000) });
    expect(shown).toHaveLength(44);
    expect(shown).not.toMatch(/sesame/);
  });
});

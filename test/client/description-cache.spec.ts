import { beforeEach, describe, expect, it } from '@jest/globals';
import { DescriptionCache } from '../../lib/client/description-cache.js';
import { FakeClock } from '../support/fake-clock.js';

const MINUTE = 60_000;
let clock: FakeClock;
let cache: DescriptionCache<string>;

beforeEach(() => {
  clock = new FakeClock();
  cache = new DescriptionCache(clock);
});

describe('descriptions of collections', () => {
  it('are kept for twelve minutes, however often they are used', () => {
    cache.set('a', 'A');
    clock.advance(12 * MINUTE - 1);
    expect(cache.get('a')).toBe('A');
    clock.advance(1);
    expect([cache.get('a'), [...cache.keys()]]).toEqual([undefined, []]);
  });

  it('are kept anew when they are set again', () => {
    cache.set('a', 'A');
    clock.advance(11 * MINUTE);
    cache.set('a', 'B');
    clock.advance(11 * MINUTE);
    expect(cache.get('a')).toBe('B');
  });

  it('are 256; the one that was not used for longest goes', () => {
    for (let i = 0; i < 256; i++) cache.set(`${i}`, `of ${i}`);
    expect(cache.get('0')).toBe('of 0');
    cache.set('256', 'of 256');
    expect([cache.get('1'), cache.get('0'), cache.get('2')]).toEqual([undefined, 'of 0', 'of 2']);
    expect([...cache.keys()]).toHaveLength(256);
  });

  it('go when they are deleted', () => {
    cache.set('a', 'A');
    cache.delete('a');
    cache.delete('b');
    expect(cache.get('a')).toBeUndefined();
  });
});

import { describe, expect, it } from '@jest/globals';
import { Renewal } from '../../lib/pool/renewal.js';

describe('a renewal', () => {
  it('is one for all who ask while it is under way', async () => {
    const renewal = new Renewal();
    const first = renewal.begin();
    expect([renewal.begin() === first, renewal.underWay]).toEqual([true, true]);
    renewal.doneIf(() => false);
    expect(renewal.underWay).toBe(true);
    renewal.doneIf(() => true);
    expect(renewal.underWay).toBe(false);
    await expect(first).resolves.toBeUndefined();
    expect(renewal.begin()).not.toBe(first);
  });

  it('fails for all of them', async () => {
    const renewal = new Renewal();
    const promises = [renewal.begin(), renewal.begin()];
    renewal.fail(() => new Error('gone'));
    for (const promise of promises) await expect(promise).rejects.toThrow('gone');
    expect(renewal.underWay).toBe(false);
  });

  it('asks for no reason when there is none under way', () => {
    const renewal = new Renewal();
    const never = () => {
      throw new Error('asked');
    };
    renewal.doneIf(never);
    renewal.fail(never);
    expect(renewal.underWay).toBe(false);
  });
});

import { describe, expect, it } from '@jest/globals';
import { Trust } from '../../lib/pool/trust.js';

const all = Number.POSITIVE_INFINITY;

function failing(times: number): Trust {
  const trust = new Trust();
  for (let i = 1; i <= times; i += 1) trust.failed(i);
  return trust;
}

describe('trust in a connection', () => {
  it('is whole at first', () => {
    expect(new Trust()).toMatchObject({ calls: all, resting: false });
  });

  it('is in question after three failures in a row', () => {
    const trust = new Trust();
    expect([1, 2, 3, 4].map(now => trust.failed(now))).toEqual([false, false, true, true]);
    expect([trust.failingSince, trust.calls]).toEqual([1, all]);
  });

  it('counts failures from the last answer', () => {
    const trust = failing(2);
    expect(trust.answered(7)).toBe(false);
    expect([trust.answeredAt, trust.failed(8), trust.failed(9), trust.failingSince]).toEqual([
      7,
      false,
      false,
      8,
    ]);
  });

  it('allows no call while it rests, then one, then all', () => {
    const trust = failing(3);
    trust.rest();
    expect([trust.calls, trust.resting]).toEqual([0, true]);
    trust.tryAgain();
    expect([trust.calls, trust.resting]).toEqual([1, false]);
    expect([trust.answered(9), trust.calls]).toEqual([true, all]);
  });

  it('is whole again at an answer in the middle of a rest', () => {
    const trust = failing(3);
    trust.rest();
    expect([trust.answered(9), trust.calls]).toEqual([true, all]);
    trust.tryAgain();
    expect(trust.calls).toBe(all);
  });

  it('makes rests longer, and short again after an answer', () => {
    const trust = failing(3);
    const rests = () => [1, 2, 3, 4, 5, 6, 7, 40].map(() => trust.rest());
    const expected = [1, 2, 4, 8, 16, 30, 30, 30].map(seconds => 1_000 * seconds);
    expect(rests()).toEqual(expected);
    trust.answered(9);
    for (let i = 0; i < 3; i += 1) trust.failed(10);
    expect(rests()).toEqual(expected);
  });

  it('is given back when others do no better', () => {
    const trust = failing(3);
    trust.rest();
    trust.forgive();
    expect(trust.calls).toBe(all);
    expect(trust.failed(5)).toBe(true);
  });
});

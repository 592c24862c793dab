import { describe, expect, it } from '@jest/globals';
import { SendFigures } from '../../lib/endpoint/send-figures.js';

describe('the figures of what was sent', () => {
  it('are all 0 at first', () => {
    expect(new SendFigures().snapshot()).toEqual({
      rpcs: 0,
      attempts: 0,
      retries: 0,
      reruns: 0,
      budgetRefusals: 0,
      unknownOutcomes: 0,
    });
  });

  it('count each apart: an RPC by its first attempt, a retry by any other', () => {
    const figures = new SendFigures();
    for (const attempt of [1, 2, 1, 2, 3, 4]) figures.sent(attempt);
    figures.rerun();
    for (let i = 0; i < 2; i += 1) figures.refusedByBudget();
    for (let i = 0; i < 3; i += 1) figures.endedUnknown();

    expect(figures.snapshot()).toEqual({
      rpcs: 2,
      attempts: 6,
      retries: 4,
      reruns: 1,
      budgetRefusals: 2,
      unknownOutcomes: 3,
    });
  });

  it('are a snapshot: frozen, and of its moment', () => {
    const figures = new SendFigures();
    const before = figures.snapshot();
    figures.sent(1);

    expect(Object.isFrozen(before)).toBe(true);
    expect([before.rpcs, figures.snapshot().rpcs]).toEqual([0, 1]);
  });
});

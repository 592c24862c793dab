import { describe, expect, it } from '@jest/globals';
import { PoolFigures } from '../../lib/pool/pool-figures.js';

describe('the figures of a pool', () => {
  it('count what they are told, each by itself', () => {
    const figures = new PoolFigures();
    figures.opened(10);
    figures.opened(20);
    figures.closedFor('idle');
    figures.closedFor('goaway');
    figures.closedFor('goaway');
    figures.timedOut();
    for (let i = 0; i < 3; i += 1) figures.waited(1);
    for (let i = 0; i < 4; i += 1) figures.used(2);
    expect(figures.snapshot()).toMatchObject({
      created: 2,
      closed: { idle: 1, lifetime: 0, reconnect: 0, released: 0, failed: 0, goaway: 2, drain: 0 },
      acquireTimeouts: 1,
      createMs: { count: 2 },
      waitMs: { count: 3 },
      useMs: { count: 4 },
    });
  });

  it('give snapshots that do not change', () => {
    const figures = new PoolFigures();
    const before = figures.snapshot();
    figures.closedFor('failed');
    figures.used(1);
    expect([before.closed.failed, before.useMs.count, Object.isFrozen(before.closed)]).toEqual([0, 0, true]);
  });
});

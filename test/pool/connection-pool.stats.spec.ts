import { describe, expect, it } from '@jest/globals';
import { connectedRun, PoolRun } from './pool-run.js';

const none = { count: 0, p50: Number.NaN, p95: Number.NaN, p99: Number.NaN, max: Number.NaN };
const nothingClosed = { idle: 0, lifetime: 0, reconnect: 0, released: 0, failed: 0, goaway: 0, drain: 0 };

describe('the numbers of a pool', () => {
  it('are there before anything was asked for', () => {
    expect(new PoolRun({ minConnections: 2 }).pool.stats()).toEqual({
      connections: { size: 0, idle: 0, used: 0, creating: 0, leaving: 0, min: 2, max: 4, overflow: -2 },
      inFlight: 0,
      pending: 0,
      leases: { held: 0, pending: 0, max: 5 },
      created: 0,
      closed: nothingClosed,
      acquireTimeouts: 0,
      waitMs: none,
      createMs: none,
      useMs: none,
    });
  });

  it('tell what is there and what was done', async () => {
    const run = new PoolRun({ minConnections: 2, maxStreamsPerConnection: 1 });
    run.pool.start();
    const guest = run.acquire();
    await run.clock.advanceAsync(200);
    await run.connected();
    run.acquire();
    await run.clock.advanceAsync(1_000);
    guest.ends();
    const { waitMs, createMs, useMs, ...stats } = run.pool.stats();
    expect(stats).toEqual({
      connections: { size: 1, idle: 0, used: 1, creating: 1, leaving: 0, min: 2, max: 4, overflow: -1 },
      inFlight: 1,
      pending: 0,
      leases: { held: 0, pending: 0, max: 5 },
      created: 1,
      closed: nothingClosed,
      acquireTimeouts: 0,
    });
    const close = (expected: number) => expect.closeTo(expected, -1);
    expect(waitMs).toMatchObject({ count: 2, p50: close(200), max: close(1_000) });
    expect(createMs).toMatchObject({ count: 1, max: close(200) });
    expect(useMs).toMatchObject({ count: 1, max: close(1_000) });
  });

  it('are frozen, and stay as they were', async () => {
    const [run] = await connectedRun();
    const stats = run.pool.stats();
    run.acquire();
    const parts = [stats, ...Object.values(stats).filter(part => typeof part === 'object')];
    expect(parts.length).toBe(7);
    expect(parts.every(Object.isFrozen)).toBe(true);
    expect([stats.inFlight, run.pool.stats().inFlight]).toEqual([0, 1]);
  });

  it('count a caller who left at the very end of its time as one who waited in vain', async () => {
    const [run] = await connectedRun({ maxStreamsPerConnection: 1, maxConnections: 1 });
    run.acquire();
    const early = run.acquire(100);
    const late = run.acquire(100);
    run.clock.advance(98.5);
    early.leave();
    run.clock.advance(1);
    late.leave();
    late.leave();
    expect(run.pool.stats()).toMatchObject({ acquireTimeouts: 1, pending: 0 });
  });
});

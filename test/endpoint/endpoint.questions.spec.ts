import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { DeliveryRoute } from '../../lib/endpoint/delivery-route.js';
import {
  beginWatching,
  connected,
  endWatching,
  ill,
  open,
  pass,
  seen,
  silence,
  watched,
} from './watched-endpoint.js';

beforeEach(beginWatching);
afterEach(endWatching);

describe('the questions of an endpoint', () => {
  it('begin with its first connection', async () => {
    const endpoint = watched();
    open(endpoint);
    endpoint.circuit.reset();
    await pass(25_000);
    expect(seen.askedAtMs).toEqual([]);
    connected(endpoint);
    await pass(10_000);
    expect(seen.askedAtMs).toEqual([35_000]);
  });

  it('are none where they are not wanted', async () => {
    connected(watched({ health: false }));
    await pass(60_000);
    expect([seen.askedAtMs, jest.getTimerCount()]).toEqual([[], 0]);
  });

  it('pause while nobody needs a connection', async () => {
    connected(watched());
    seen.pool = 'idle';
    await pass(60_000);
    expect(seen.askedAtMs).toEqual([]);
  });

  it.each([
    ['close()', Infinity],
    ['the end of everything at once', 0],
  ])('end with %s', async (_how, limitMs) => {
    const endpoint = connected(watched());
    void endpoint.close(limitMs);
    await pass(60_000);
    expect([seen.askedAtMs, jest.getTimerCount()]).toEqual([[], 0]);
  });

  it('come soon when the circuit opens, and when a call is refused', async () => {
    const circuitBreaker = { failureThreshold: 1, recoveryTimeoutMs: 3_600_000 };
    const endpoint = connected(watched({ circuitBreaker }));
    await pass(1_000);
    const before = seen.askedAtMs.length;
    seen.condition = silence;
    open(endpoint);
    await pass(400);
    expect(seen.askedAtMs.length).toBe(before + 1);
    // Nobody calls: ever less often.
    await pass(60_000);
    const seldom = seen.askedAtMs.length;
    await pass(1_000);
    expect(seen.askedAtMs.length).toBe(seldom);
    expect(endpoint.refuses()).toBe(true);
    await pass(500);
    expect(seen.askedAtMs.length).toBe(seldom + 1);
  });

  it('come soon when a call gets no answer, which asks whether the last one got any', async () => {
    const endpoint = connected(watched());
    // As a delivery does.
    const { hangs } = (endpoint.gateway as unknown as { route: DeliveryRoute }).route;
    expect(hangs()).toBe(false);
    seen.condition = silence;
    await pass(400);
    expect([seen.askedAtMs.length, hangs()]).toEqual([1, true]);
    seen.condition = ill;
    await pass(500);
    expect([seen.askedAtMs.length > 1, hangs()]).toEqual([true, false]);
  });

  it('come at least twice a second while a call waits', async () => {
    const endpoint = connected(watched());
    seen.condition = silence;
    await pass(30_000);
    const stats = endpoint.pool.stats();
    jest.spyOn(endpoint.pool, 'stats').mockReturnValue({ ...stats, pending: 1 });
    await pass(10_000);
    const before = seen.askedAtMs.length;
    await pass(5_000);
    expect(seen.askedAtMs.length - before).toBeGreaterThanOrEqual(10);
  });

  it.each([
    ['is refused', true],
    ['is let through', false],
  ])('come at least twice a second while somebody calls and %s', async (_what, refused) => {
    const circuitBreaker = { failureThreshold: 1, recoveryTimeoutMs: 3_600_000 };
    const endpoint = connected(watched({ circuitBreaker }));
    seen.condition = silence;
    if (refused) open(endpoint);
    await pass(60_000);
    const before = seen.askedAtMs.length;
    for (let ms = 0; ms < 20_000; ms += 100) {
      endpoint.circuit.enter();
      await pass(100);
    }
    // The first was put off while nobody called.
    expect(seen.askedAtMs.length - before).toBeGreaterThanOrEqual(20);
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { pause, SOON_MS } from '../../support/pooled-client.js';
import { answersUnavailable, refuses } from './faults.js';
import { OUTAGE_MS, Outage, READ_MS, retriesOf } from './outage.js';
import { failedFast, succeeded } from './steady-calls.js';

const FLAP_MS = 500;

let outage: Outage;

afterEach(() => outage.stop());

/** @returns when it was down: from, to */
async function flap(fault: typeof refuses): Promise<[number, number][]> {
  const down: [number, number][] = [];
  const startedAt = performance.now();
  while (performance.now() - startedAt < OUTAGE_MS) {
    const from = performance.now();
    await (down.length === 0 ? outage.begin(fault) : fault.begin(outage));
    await pause(FLAP_MS);
    down.push([from, performance.now()]);
    await outage.end(fault);
    await pause(FLAP_MS);
  }
  return down;
}

describe('a server that comes and goes every 500 ms, under 200 calls/s', () => {
  it('costs hardly a call when it takes its connections along: calls wait for its return', async () => {
    outage = await Outage.prepare();
    const { calls, client } = outage;
    await flap(refuses);
    await outage.recovered();
    const { downAt, upAt } = outage;
    const made = calls.between(downAt, upAt);

    expect(made.filter(succeeded).length).toBeGreaterThan(0.8 * made.length);
    // What has waited through one of its absences comes at once, and what waited through the next may within the same second.
    expect(outage.peak(downAt)).toBeLessThan(3 * calls.perSecond);
    expect(calls.longestMs).toBeLessThan(READ_MS + SOON_MS);
    expect(outage.accidents).toEqual([]);
    expect(outage.changesAreWhole).toBe(true);
    expect(client.pool.state).toBe('ready');
  });

  it('gets few calls while it says UNAVAILABLE, and others as soon as it does not', async () => {
    outage = await Outage.prepare();
    const { calls, client } = outage;
    const down = await flap(answersUnavailable);
    await outage.recovered();
    const { downAt, upAt } = outage;
    const made = calls.between(downAt, upAt);

    let arrived = 0;
    let passed = 0;
    for (const [from, to] of down) {
      const duringThis = calls.between(from, to);
      // Nine of ten, were they not stopped, and their retries beside them.
      expect(outage.arrivals(from, to).length).toBeLessThan(0.9 * FLAP_MS * (calls.perSecond / 1_000));
      arrived += outage.arrivals(from, to).length;
      passed += duringThis.filter(call => !failedFast(call)).length;
    }
    expect(arrived).toBeLessThanOrEqual(passed + retriesOf(calls.calls.length));
    expect(made.filter(succeeded).length).toBeGreaterThan(0.05 * made.length);
    expect(outage.peak(downAt)).toBeLessThan(2 * calls.perSecond);
    expect(outage.recoveryMs).toBeLessThan(SOON_MS);
    expect(calls.longestMs).toBeLessThan(READ_MS + SOON_MS);
    expect(outage.accidents).toEqual([]);
    expect(outage.changesAreWhole).toBe(true);
    expect(outage.changes.some(({ to }) => to === 'unavailable')).toBe(true);
    expect(client.pool.state).toBe('ready');
  });
});

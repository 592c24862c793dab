import { afterEach, describe, expect, it } from '@jest/globals';
import { eventually, pause, SOON_MS } from '../../support/pooled-client.js';
import { answersUnavailable, hangs, isSlow, refuses, swallows } from './faults.js';
import { type Fault, OUTAGE_MS, Outage, READ_MS, retriesOf, WAIT_MS } from './outage.js';
import { failedFast, succeeded } from './steady-calls.js';

/** Short, so that each outage sees several calls that are let through to look. */
const RECOVERY_MS = 1_000;

/** `retry.maxAttempts`, as it is by default. */
const ATTEMPTS = 3;

let outage: Outage;

afterEach(() => outage.stop());

/** What it takes to see that the server does not say how it is, `health.timeoutMs` and a moment: it may only be busy. */
const QUESTION_MS = 2_000 + 100;

interface Away {
  what: string;
  fault: Fault;
  /** Until the circuit must have opened. */
  opensWithinMs: number;
}

describe.each<Away>([
  { what: 'accepts and hangs', fault: hangs, opensWithinMs: READ_MS + QUESTION_MS },
  { what: 'answers UNAVAILABLE', fault: answersUnavailable, opensWithinMs: 500 },
  { what: 'refuses connections', fault: refuses, opensWithinMs: WAIT_MS },
  { what: 'swallows everything', fault: swallows, opensWithinMs: READ_MS },
  { what: 'takes 3 s for every answer', fault: isSlow, opensWithinMs: READ_MS + QUESTION_MS },
])('a server that $what, under 200 calls/s', ({ fault, opensWithinMs }) => {
  it('is left in peace, costs its callers little, and is used again as soon as it works', async () => {
    outage = await Outage.prepare({ circuitBreaker: { recoveryTimeoutMs: RECOVERY_MS } });
    const { calls, client, changes } = outage;
    await outage.begin(fault);
    await outage.opened();
    await pause(OUTAGE_MS);
    await outage.end(fault);
    await outage.recovered();
    const { downAt, openedAt, upAt } = outage;
    const whileOpen = calls.between(openedAt, upAt);
    const openMs = upAt - openedAt;

    // What it takes to notice is what was sent before, and its retries.
    const retried = retriesOf(calls.between(openedAt - 10_000, openedAt).length);
    const before = calls.between(downAt, openedAt).length;
    // Counted in calls, because a machine that stalls makes fewer.
    expect(before).toBeLessThan((calls.perSecond / 1_000) * (opensWithinMs + 1_000));
    expect(outage.arrivals(downAt, openedAt).length).toBeLessThanOrEqual(before + retried);

    // From then on one call after the other that looks whether it works, each with its retries.
    const trials = 1 + openMs / RECOVERY_MS;
    expect(outage.arrivals(openedAt, upAt).length).toBeLessThanOrEqual(ATTEMPTS * trials);
    expect(outage.questions(openedAt, upAt).length).toBeLessThanOrEqual(4 + openMs / 250);
    expect(whileOpen.filter(failedFast).length).toBeGreaterThan(0.9 * whileOpen.length);
    expect(whileOpen.filter(call => succeeded(call) && call.endedAt! < upAt)).toEqual([]);

    expect(outage.recoveryMs).toBeLessThan(SOON_MS);
    expect(outage.peak(upAt)).toBeLessThan(2 * calls.perSecond);
    const afterwards = calls.between(calls.firstSuccess(upAt)! + 500, Infinity);
    expect(afterwards.filter(succeeded).length).toBeGreaterThan(0.9 * afterwards.length);

    expect(calls.longestMs).toBeLessThan(READ_MS + SOON_MS);
    expect(outage.accidents).toEqual([]);
    expect(outage.changesAreWhole).toBe(true);
    expect(changes.some(({ to, atMs }) => to === 'unavailable' && atMs <= openedAt)).toBe(true);
    const during = changes.filter(({ atMs }) => atMs > openedAt && atMs < upAt).map(({ to }) => to);
    expect(during.filter(to => to === 'ready')).toEqual([]);
    // A connection whose last call was lost to the outage may rest for a while.
    await eventually(() => client.pool.state === 'ready', 40_000);
    expect(changes.at(-1)).toMatchObject({ to: 'ready' });

    const fast = calls.calls.filter(failedFast).length;
    expect(client.pool.circuit.metrics()).toMatchObject({
      totalFastFailures: fast,
      totalRequests: calls.calls.length - fast,
    });
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { OpenSchedule } from '../../lib/pool/open-schedule.js';

const none = () => 0;

describe('the schedule of a pool', () => {
  it('allows a try at once while all is well', () => {
    const schedule = new OpenSchedule(none);
    expect(schedule.delayMs(0, true)).toBe(0);
    schedule.opened();
    expect(schedule.delayMs(0, true)).toBe(0);
    schedule.broke(60_000, 59_000);
    expect(schedule.delayMs(60_000, true)).toBe(0);
  });

  it('pauses longer with every failure, to half a second while calls wait and five while none does', () => {
    const schedule = new OpenSchedule(() => 0.999_999);
    const pauses = (callsWait: boolean) => Math.round(schedule.delayMs(0, callsWait));
    const seen: number[][] = [];
    for (let i = 0; i < 9; i += 1) {
      schedule.failed(0);
      seen.push([pauses(true), pauses(false)]);
    }
    expect(seen.map(([busy]) => busy)).toEqual([100, 200, 400, 500, 500, 500, 500, 500, 500]);
    expect(seen.map(([, quiet]) => quiet)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000]);
  });

  it('counts the pause from the failure', () => {
    const schedule = new OpenSchedule(none);
    schedule.failed(1_000);
    expect(schedule.delayMs(1_000, true)).toBe(50);
    expect(schedule.delayMs(1_040, true)).toBe(10);
    expect(schedule.delayMs(1_050, true)).toBe(0);
    expect(schedule.delayMs(9_000, true)).toBe(0);
  });

  it('keeps one jitter for one pause, so that asking again does not change the answer', () => {
    const schedule = new OpenSchedule(Math.random);
    schedule.failed(0);
    expect(schedule.delayMs(0, true)).toBe(schedule.delayMs(0, true));
  });

  it('forgets failures when a connection was opened', () => {
    const schedule = new OpenSchedule(none);
    schedule.failed(0);
    schedule.failed(0);
    schedule.opened();
    expect(schedule.delayMs(0, true)).toBe(0);
  });

  it('takes a connection that broke within a second for a failure, also over openings', () => {
    const schedule = new OpenSchedule(none);
    const delays: number[] = [];
    for (let i = 0; i < 4; i += 1) {
      schedule.opened();
      schedule.broke(0, 999);
      delays.push(schedule.delayMs(0, true));
    }
    expect(delays).toEqual([50, 100, 200, 250]);
    schedule.opened();
    schedule.broke(0, 1_000);
    expect(schedule.delayMs(0, true)).toBe(0);
  });

  it('never asks for a pause below nor above its limits, whatever happens', () => {
    const events = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('opened' as const) }),
        fc.record({ kind: fc.constant('failed' as const) }),
        fc.record({ kind: fc.constant('broke' as const), ageMs: fc.nat(2_000) }),
      ),
      { maxLength: 2_000 },
    );
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(events, random, fc.boolean(), (script, fraction, callsWait) => {
        const schedule = new OpenSchedule(() => fraction);
        for (const event of script) {
          if (event.kind === 'opened') schedule.opened();
          else if (event.kind === 'failed') schedule.failed(0);
          else schedule.broke(0, event.ageMs);
          const delayMs = schedule.delayMs(0, callsWait);
          if (event.kind === 'failed' || (event.kind === 'broke' && event.ageMs < 1_000)) {
            expect(delayMs).toBeGreaterThanOrEqual(50);
          }
          expect(delayMs).toBeLessThanOrEqual(callsWait ? 500 : 5_000);
        }
      }),
    );
  });
});

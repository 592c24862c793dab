import { describe, expect, it } from '@jest/globals';
import { systemClock } from '../../lib/resilience/clock.js';
import { Deadline } from '../../lib/resilience/deadline.js';
import { FakeClock } from '../support/fake-clock.js';

describe('a deadline', () => {
  it('counts down to 0 and stays there', () => {
    const clock = new FakeClock();
    const deadline = new Deadline(100, clock);
    expect([deadline.timeoutMs, deadline.remainingMs()]).toEqual([100, 100]);
    clock.advance(99);
    expect(deadline.remainingMs()).toBe(1);
    clock.advance(1);
    expect(deadline.remainingMs()).toBe(0);
    clock.advance(1_000_000);
    expect(deadline.remainingMs()).toBe(0);
  });

  it('may be never, or have passed already', () => {
    const clock = new FakeClock();
    expect(new Deadline(Number.POSITIVE_INFINITY, clock).remainingMs()).toBe(Number.POSITIVE_INFINITY);
    expect(new Deadline(0, clock).remainingMs()).toBe(0);
    expect(new Deadline(-1, clock).remainingMs()).toBe(0);
  });
});

describe('the system clock', () => {
  it('runs a task once, not too early, and not at all when it is cancelled', async () => {
    const startMs = systemClock.now();
    const ran: string[] = [];
    systemClock.schedule(() => ran.push('cancelled'), 1).cancel();
    await new Promise<void>(resolve => {
      systemClock.schedule(() => ran.push('before'), 10, true);
      systemClock.schedule(resolve, 20, true);
    });
    expect(ran).toEqual(['before']);
    // Node's timers count whole milliseconds.
    expect(systemClock.now() - startMs).toBeGreaterThan(18);
  });

  it.each([2 ** 31, Number.POSITIVE_INFINITY])(
    'does not run a task at once that is due in %d ms',
    async ms => {
      let ran = false;
      const task = systemClock.schedule(() => {
        ran = true;
      }, ms);
      await new Promise<void>(resolve => {
        systemClock.schedule(resolve, 20, true);
      });
      task.cancel();
      expect(ran).toBe(false);
    },
  );

  it('keeps the process alive only when told to', () => {
    const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;
    const before = timers();
    const background = systemClock.schedule(() => {}, 10_000);
    expect(timers()).toBe(before);
    const awaited = systemClock.schedule(() => {}, 10_000, true);
    expect(timers()).toBe(before + 1);
    awaited.cancel();
    background.cancel();
    expect(timers()).toBe(before);
  });
});

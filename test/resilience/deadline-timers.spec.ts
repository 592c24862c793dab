import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { DeadlineTimers, type Expiring } from '../../lib/resilience/deadline-timers.js';
import { FakeClock } from '../support/fake-clock.js';

const USUAL_MS = 100;

let clock: FakeClock;
let timers: DeadlineTimers;
let expired: Item[];

class Item implements Expiring {
  readonly expiresAt: number;
  expiredAt?: number;

  constructor(
    readonly durationMs: number,
    private readonly then: () => void = () => {},
  ) {
    this.expiresAt = clock.now() + durationMs;
  }

  expire(): void {
    this.expiredAt = clock.now();
    expired.push(this);
    this.then();
  }
}

beforeEach(() => {
  clock = new FakeClock();
  timers = new DeadlineTimers([USUAL_MS, 5 * USUAL_MS], clock);
  expired = [];
});

function start(durationMs: number, then?: () => void): Item {
  const item = new Item(durationMs, then);
  timers.start(item, durationMs);
  return item;
}

describe.each([USUAL_MS, 7])('an item of %s ms', durationMs => {
  it('expires when its time is up, once', () => {
    const item = start(durationMs);
    clock.advance(durationMs - 2);
    expect(expired).toEqual([]);
    clock.advance(2);
    expect(expired).toEqual([item]);
    clock.advance(10 * durationMs);
    expect(expired).toEqual([item]);
    expect(clock.pending).toBe(0);
  });

  it('does not expire once it is stopped, and keeps no process alive', () => {
    const item = start(durationMs);
    expect(clock.keepingAlive).toBe(1);
    timers.stop(item, durationMs);
    timers.stop(item, durationMs);
    expect(clock.keepingAlive).toBe(0);
    clock.advance(10 * durationMs);

    expect(expired).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('may start another when it expires', () => {
    start(durationMs, () => start(durationMs));
    start(durationMs);
    clock.advance(durationMs);
    expect([expired.length, clock.pending]).toEqual([2, 1]);
    clock.advance(durationMs);

    expect([expired.length, clock.pending]).toEqual([3, 0]);
  });
});

describe('items of one usual duration', () => {
  it('share a timer', () => {
    for (let count = 0; count < 1_000; count++) start(USUAL_MS);
    expect(clock.pending).toBe(1);
    clock.advance(USUAL_MS);

    expect(expired).toHaveLength(1_000);
  });

  it('keep the process alive as long as one of them is there', () => {
    const [first, second] = [start(USUAL_MS), start(USUAL_MS)];
    timers.stop(first, USUAL_MS);
    expect(clock.keepingAlive).toBe(1);
    timers.stop(second, USUAL_MS);
    expect(clock.keepingAlive).toBe(0);
    start(USUAL_MS);
    expect(clock.keepingAlive).toBe(1);
  });

  it('leave no timer when all is closed', () => {
    timers.stop(start(USUAL_MS), USUAL_MS);
    timers.close();

    expect(clock.pending).toBe(0);
  });

  it('expire also when something else was closed', () => {
    const item = start(USUAL_MS);
    timers.close();
    clock.advance(USUAL_MS);

    expect(expired).toEqual([item]);
  });
});

it('every item expires at its time or was stopped before, whatever happens in between', () => {
  const step = fc.record({
    waitMs: fc.nat({ max: 60 }),
    durationMs: fc.constantFrom(USUAL_MS, 5 * USUAL_MS, 7, 60),
    stop: fc.option(fc.nat({ max: 20 })),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      clock = new FakeClock();
      timers = new DeadlineTimers([USUAL_MS, 5 * USUAL_MS], clock);
      expired = [];
      const items: Item[] = [];
      const stopped = new Set<Item>();
      for (const { waitMs, durationMs, stop } of steps) {
        clock.advance(waitMs);
        items.push(start(durationMs));
        const victim = stop === null ? undefined : items[stop];
        if (!victim || victim.expiredAt !== undefined) continue;
        timers.stop(victim, victim.durationMs);
        stopped.add(victim);
      }
      clock.advance(1_000);
      for (const item of items) {
        if (stopped.has(item)) expect(item.expiredAt).toBeUndefined();
        else expect(Math.abs(item.expiredAt! - item.expiresAt)).toBeLessThanOrEqual(1);
      }
      expect(clock.pending).toBe(0);
    }),
  );
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { LeakDetector } from '../../lib/client/leak-detector.js';
import type { HeldLease } from '../../lib/telemetry/leases.js';
import { FakeClock } from '../support/fake-clock.js';

let clock: FakeClock;
let leaked: HeldLease[];
let tooMany: [number, number][];

beforeEach(() => {
  clock = new FakeClock();
  leaked = [];
  tooMany = [];
});

function detector(options: ConstructorParameters<typeof LeakDetector>[1]): LeakDetector {
  const observer = {
    leaseLeaked: (lease: HeldLease) => leaked.push(lease),
    tooManyLeases: (leases: readonly HeldLease[], maxHeld: number) => tooMany.push([leases.length, maxHeld]),
  };
  return new LeakDetector('search', options, observer, clock);
}

/** As `pool.acquire()` does it. */
function acquire(leaks: LeakDetector, lease: object = {}): object {
  leaks.acquired(lease, leaks.trace(acquire as never));
  return lease;
}

describe('the leak detector', () => {
  it('tells once of a lease that is held longer than the threshold', () => {
    const leaks = detector({ thresholdMs: 1_000 });
    acquire(leaks);
    clock.advance(999);
    expect([leaked, leaks.leaks()]).toEqual([[], []]);
    clock.advance(1);
    expect(leaked).toEqual([{ client: 'search', ageMs: 1_000, stack: expect.any(String) }]);
    expect(Object.isFrozen(leaked[0])).toBe(true);
    clock.advance(100_000);
    expect([leaked.length, clock.pending]).toEqual([1, 0]);
  });

  it('says where it was acquired: the stack begins with the caller', () => {
    const leaks = detector({ thresholdMs: 1_000 });
    const lineOf = (frame = '') => Number(/leak-detector\.spec\.ts:(\d+):/.exec(frame)?.[1]);
    const here = new Error('here').stack!.split('\n')[1];
    acquire(leaks);
    clock.advance(1_000);
    const [first] = leaked[0]!.stack.split('\n');
    expect(lineOf(first)).toBe(lineOf(here) + 1);
  });

  it('tells nothing of one that was released in time, and keeps no timer for it', () => {
    const leaks = detector({ thresholdMs: 1_000 });
    const lease = acquire(leaks);
    clock.advance(999);
    leaks.released(lease);
    leaks.released(lease);
    expect(clock.pending).toBe(0);
    clock.advance(10_000);
    expect([leaked, leaks.leaks()]).toEqual([[], []]);
  });

  it('lists those held for longer than the threshold, the oldest first', () => {
    const leaks = detector({ thresholdMs: 1_000 });
    const oldest = acquire(leaks);
    clock.advance(500);
    acquire(leaks);
    clock.advance(600);
    acquire(leaks);
    expect(leaks.leaks().map(({ ageMs }) => ageMs)).toEqual([1_100]);
    clock.advance(500);
    const listed = leaks.leaks();
    expect([listed.map(({ ageMs }) => ageMs), Object.isFrozen(listed)]).toEqual([[1_600, 1_100], true]);
    leaks.released(oldest);
    expect(leaks.leaks().map(({ ageMs }) => ageMs)).toEqual([1_100]);
  });

  it('lists what it has told, though Node fires timers a little early', () => {
    const leaks = detector({ thresholdMs: 1_000.6 });
    acquire(leaks);
    clock.advance(1_000);
    expect(leaks.leaks().length).toBe(1);
    clock.advance(1);
    expect(leaked.length).toBe(1);
  });

  it('tells once when more than maxHeld are held, and again only after it was not so', () => {
    const leaks = detector({ thresholdMs: 1_000, maxHeld: 2 });
    const [first, second] = [acquire(leaks), acquire(leaks)];
    expect(tooMany).toEqual([]);
    const third = acquire(leaks);
    expect(tooMany).toEqual([[3, 2]]);
    acquire(leaks);
    leaks.released(first);
    acquire(leaks);
    expect(tooMany.length).toBe(1);
    for (const lease of [second, third]) leaks.released(lease);
    acquire(leaks);
    expect(tooMany).toEqual([
      [3, 2],
      [3, 2],
    ]);
  });

  it('does nothing at all when it is off', () => {
    const leaks = detector(false);
    const trace = leaks.trace(acquire as never);
    const lease = acquire(leaks);
    clock.advance(1_000_000);
    expect([trace, clock.pending, leaks.leaks(), leaked]).toEqual([{}, 0, [], []]);
    leaks.released(lease);
  });
});

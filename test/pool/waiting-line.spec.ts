import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { WaitingLine } from '../../lib/pool/waiting-line.js';
import { FakeClock } from '../support/fake-clock.js';

let clock: FakeClock;
let line: WaitingLine<string>;
let timedOut: string[];

beforeEach(() => {
  clock = new FakeClock();
  line = new WaitingLine(3, clock);
  timedOut = [];
});

const join = (waiter: string, limitMs = 100) => line.join(waiter, limitMs, () => timedOut.push(waiter));

describe('a waiting line', () => {
  it('serves in the order of arrival', () => {
    join('a');
    join('b');
    expect([line.next(), line.next(), line.next()]).toEqual(['a', 'b', undefined]);
    expect(clock.pending).toBe(0);
  });

  it('says when it is full', () => {
    join('a');
    join('b');
    expect([line.pending, line.full]).toEqual([2, false]);
    join('c');
    expect([line.pending, line.full]).toEqual([3, true]);
    line.leave('b');
    expect([line.pending, line.full]).toEqual([2, false]);
    expect([line.next(), line.next()]).toEqual(['a', 'c']);
  });

  it('holds each waiter to its own limit; who has reached it is out before it is told', () => {
    const seen: number[] = [];
    line.join('late', 100, () => seen.push(line.pending));
    line.join('early', 50, () => seen.push(line.pending));
    clock.advance(49);
    expect(seen).toEqual([]);
    clock.advance(1);
    expect(seen).toEqual([1]);
    clock.advance(50);
    expect(seen).toEqual([1, 0]);
  });

  it('forgets the limit of one who was served or left', () => {
    join('served');
    join('left');
    line.next();
    line.leave('left');
    line.leave('left');
    line.leave('stranger');
    expect(clock.pending).toBe(0);
    clock.advance(1_000);
    expect(timedOut).toEqual([]);
  });

  it('lets nobody wait at all with no time left', () => {
    join('late', 0);
    clock.advance(0);
    expect([timedOut, line.pending]).toEqual([['late'], 0]);
  });
});

describe('whatever happens in a waiting line', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constant('join' as const), limitMs: fc.nat(50) }),
      fc.record({ kind: fc.constant('leave' as const), which: fc.nat(100) }),
      fc.record({ kind: fc.constant('next' as const) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(30) }),
    ),
    { maxLength: 60 },
  );

  it('it behaves as a list whose members are taken from the front, or leave, or are too late', () => {
    fc.assert(
      fc.property(steps, script => {
        const time = new FakeClock();
        const late: number[] = [];
        const tested = new WaitingLine<number>(1_000, time);
        let model: { id: number; atMs: number }[] = [];
        const modelLate: { id: number; atMs: number }[] = [];
        let lastId = 0;
        for (const step of script) {
          if (step.kind === 'join') {
            const id = ++lastId;
            tested.join(id, step.limitMs, () => late.push(id));
            model.push({ id, atMs: time.now() + step.limitMs });
          } else if (step.kind === 'leave') {
            tested.leave(step.which);
            model = model.filter(({ id }) => id !== step.which);
          } else if (step.kind === 'next') {
            expect(tested.next()).toBe(model.shift()?.id);
          } else {
            time.advance(step.ms);
            modelLate.push(...model.filter(({ atMs }) => atMs <= time.now()));
            model = model.filter(({ atMs }) => atMs > time.now());
          }
          expect(tested.pending).toBe(model.length);
          expect(time.pending).toBe(model.length);
        }
        expect([...late].sort()).toEqual(modelLate.map(({ id }) => id).sort());
      }),
    );
  });
});

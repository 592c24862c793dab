import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Place, WaitingLine } from '../../lib/pool/waiting-line.js';
import { FakeClock } from '../support/fake-clock.js';

let clock: FakeClock;
let line: WaitingLine<string>;
let timedOut: string[];

beforeEach(() => {
  clock = new FakeClock();
  line = new WaitingLine(3, clock);
  timedOut = [];
});

const next = () => line.next()?.waiter;
const join = (waiter: string, limitMs = 100) => line.join(waiter, limitMs, () => timedOut.push(waiter));

describe('a waiting line', () => {
  it('serves in the order of arrival', () => {
    join('a');
    join('b');
    expect([next(), next(), next()]).toEqual(['a', 'b', undefined]);
    expect(clock.pending).toBe(0);
  });

  it('says when it is full', () => {
    join('a');
    const b = join('b');
    expect([line.pending, line.full]).toEqual([2, false]);
    join('c');
    expect([line.pending, line.full]).toEqual([3, true]);
    line.leave(b);
    expect([line.pending, line.full]).toEqual([2, false]);
    expect([next(), next()]).toEqual(['a', 'c']);
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
    const served = join('served');
    const left = join('left');
    line.next();
    line.leave(left);
    line.leave(left);
    line.leave(served);
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

describe('who comes again to a waiting line', () => {
  it('stands before those who came later', () => {
    const [a, b] = [line.ticket(), line.ticket()];
    const again = (waiter: string, ticket: number) =>
      line.join(waiter, 100, () => timedOut.push(waiter), ticket);
    join('c');
    again('b', b);
    again('a', a);
    expect([next(), next(), next()]).toEqual(['a', 'b', 'c']);
  });

  it('stands at the end of those who came before', () => {
    join('a');
    const ticket = line.ticket();
    join('c');
    const place = line.join('b', 50, () => timedOut.push('b'), ticket);
    line.leave(place);
    line.join('b', 50, () => timedOut.push('b'), ticket);
    expect(next()).toBe('a');
    clock.advance(50);
    expect([timedOut, next(), next()]).toEqual([['b'], 'c', undefined]);
  });

  it('keeps the order of tickets, whatever the order of coming', () => {
    const coming = fc.shuffledSubarray(Array.from({ length: 20 }, (_, i) => i + 1));
    fc.assert(
      fc.property(coming, fc.array(fc.nat(19), { maxLength: 10 }), (tickets, leaving) => {
        const tested = new WaitingLine<number>(100, new FakeClock());
        const places = tickets.map(ticket => tested.join(ticket, 10, () => {}, ticket));
        const left = leaving.flatMap(index => (places[index] ? [places[index]] : []));
        for (const place of left) tested.leave(place);
        const seen: number[] = [];
        for (let place = tested.next(); place; place = tested.next()) seen.push(place.waiter);
        const gone = left.map(({ waiter }) => waiter);
        expect(seen).toEqual(tickets.filter(ticket => !gone.includes(ticket)).sort((x, y) => x - y));
      }),
    );
  });
});

describe('a long waiting line', () => {
  /** How many places are looked at for each of `count` waiters that come, leave and are served by turns. */
  function lookedAt(count: number): number {
    const time = { now: () => 0, schedule: () => ({ cancel: () => {}, keepAlive: () => {} }) };
    const tested = new WaitingLine<number>(count, time);
    let looks = 0;
    const places: Place<number>[] = [];
    for (let i = 0; i < count; i += 1) {
      const place = tested.join(i, 1_000, () => {});
      for (const side of ['before', 'after'] as const) {
        let neighbour = place[side];
        Object.defineProperty(place, side, {
          get() {
            looks += 1;
            return neighbour;
          },
          set(next: Place<number> | undefined) {
            neighbour = next;
          },
        });
      }
      places.push(place);
    }
    for (let i = 0; i < count; i += 2) tested.leave(places[(i * 7_919) % count]!);
    while (tested.next());
    expect(tested.pending).toBe(0);
    return looks / count;
  }

  it('costs as little for each waiter as a short one', () => {
    expect(lookedAt(10_000)).toBeLessThanOrEqual(lookedAt(100) + 1);
    expect(lookedAt(10_000)).toBeLessThan(20);
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
        const places = new Map<number, Place<number>>();
        for (const step of script) {
          if (step.kind === 'join') {
            const id = ++lastId;
            places.set(
              id,
              tested.join(id, step.limitMs, () => late.push(id)),
            );
            model.push({ id, atMs: time.now() + step.limitMs });
          } else if (step.kind === 'leave') {
            const place = places.get(step.which);
            if (place) tested.leave(place);
            model = model.filter(({ id }) => id !== step.which);
          } else if (step.kind === 'next') {
            expect(tested.next()?.waiter).toBe(model.shift()?.id);
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

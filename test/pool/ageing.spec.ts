import { beforeEach, describe, expect, it } from '@jest/globals';
import { Ageing } from '../../lib/pool/ageing.js';
import { Member } from '../../lib/pool/member.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';

let clock: FakeClock;
let members: Member<FakeConnection>[];
let retired: [number, string][];
let due: number;
let needed: Set<Member<FakeConnection>>;
let opened: Member<FakeConnection>[];

beforeEach(() => {
  clock = new FakeClock();
  members = [];
  retired = [];
  due = 0;
  needed = new Set();
  opened = [];
});

function ageing(
  options: Partial<{ minConnections: number; idleTimeoutMs: number; maxLifetimeMs: number }>,
  random = 0.5,
) {
  const owner = {
    canDoWithout: (member: Member<FakeConnection>) => !needed.has(member),
    retire: (member: Member<FakeConnection>, reason: string) => {
      retired.push([opened.indexOf(member), reason]);
      members.splice(members.indexOf(member), 1);
    },
    due: () => {
      due += 1;
    },
  };
  const all = { minConnections: 0, idleTimeoutMs: 0, maxLifetimeMs: 0, ...options };
  return new Ageing(all, members, owner, clock, () => random);
}

function open(tested: Ageing<FakeConnection>): Member<FakeConnection> {
  const now = clock.now();
  const member = new Member(new FakeConnection(), now, tested.expiry(now), 10);
  members.push(member);
  opened.push(member);
  tested.plan();
  return member;
}

describe('ageing', () => {
  it('needs no timer when nothing ages, nor for those that stay', () => {
    open(ageing({}));
    open(ageing({ minConnections: 2, idleTimeoutMs: 100 }));
    expect(clock.pending).toBe(0);
  });

  it.each([
    [0, 900],
    [0.5, 1_000],
    [1, 1_100],
  ])('gives a connection its lifetime with a jitter of a tenth: %p', (random, expected) => {
    expect(ageing({ maxLifetimeMs: 1_000 }, random).expiry(5)).toBeCloseTo(5 + expected);
    expect(ageing({}, random).expiry(5)).toBe(Number.POSITIVE_INFINITY);
  });

  it('closes idle ones from the last, each when it has been idle for long enough, down to the minimum', () => {
    const tested = ageing({ minConnections: 1, idleTimeoutMs: 100 });
    open(tested);
    open(tested);
    clock.advance(50);
    open(tested);
    clock.advance(50);
    expect(retired).toEqual([
      [1, 'idle'],
      [0, 'idle'],
    ]);
    clock.advance(10_000);
    expect([retired.length, clock.pending]).toEqual([2, 0]);
  });

  it('looks at a busy one again when it can have been idle for long enough', () => {
    const tested = ageing({ idleTimeoutMs: 100 });
    const member = open(tested);
    member.connection.send();
    clock.advance(250);
    member.connection.endCall();
    member.idleSince = clock.now();
    clock.advance(99);
    expect(retired).toEqual([]);
    clock.advance(101);
    expect(retired).toEqual([[0, 'idle']]);
  });

  it('keeps one that would be opened anew at once, for another idle time', () => {
    const tested = ageing({ idleTimeoutMs: 100 });
    const member = open(tested);
    needed.add(member);
    clock.advance(250);
    expect([retired, clock.pending, clock.nextInMs]).toEqual([[], 1, 50]);
    needed.clear();
    clock.advance(100);
    expect(retired).toEqual([[0, 'idle']]);
  });

  it('marks those that have had their time and are needed, once', () => {
    const tested = ageing({ minConnections: 1, maxLifetimeMs: 1_000 });
    const member = open(tested);
    clock.advance(999);
    expect([member.due, due]).toEqual([undefined, 0]);
    clock.advance(1);
    expect([member.due, due, retired, clock.pending]).toEqual(['lifetime', 1, [], 0]);
  });

  it('closes those that have had their time when they are idle and more than are needed', () => {
    const tested = ageing({ minConnections: 1, maxLifetimeMs: 1_000 });
    open(tested);
    open(tested);
    const busy = open(tested);
    busy.connection.send();
    clock.advance(1_000);
    expect(retired).toEqual([
      [1, 'lifetime'],
      [0, 'lifetime'],
    ]);
    expect([busy.due, due]).toEqual(['lifetime', 1]);
  });

  it('does not forget that another reason came first', () => {
    const tested = ageing({ minConnections: 1, maxLifetimeMs: 1_000 });
    const member = open(tested);
    member.due = 'reconnect';
    tested.plan();
    clock.advance(5_000);
    expect(member.due).toBe('reconnect');
    member.due = undefined;
    tested.plan();
    clock.advance(1);
    expect([member.due, due > 0]).toEqual(['lifetime', true]);
  });

  it('is still when stopped', () => {
    const tested = ageing({ idleTimeoutMs: 100, maxLifetimeMs: 1_000 });
    open(tested);
    tested.stop();
    expect(clock.pending).toBe(0);
  });
});

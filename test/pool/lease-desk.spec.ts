import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Lease, LeaseOwner } from '../../lib/pool/lease.js';
import { LeaseDesk } from '../../lib/pool/lease-desk.js';
import { Member } from '../../lib/pool/member.js';
import { WaitingLine } from '../../lib/pool/waiting-line.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';

let clock: FakeClock;
let waits: number[];
let desk: LeaseDesk<FakeConnection>;
let leases: [string, Lease<FakeConnection>][];

beforeEach(() => {
  clock = new FakeClock();
  waits = [];
  leases = [];
  const owner = {
    acquireTimeoutMs: 100,
    waited: (ms: number) => waits.push(ms),
    now: () => clock.now(),
    newLine: () => new WaitingLine(3, clock),
  };
  desk = new LeaseDesk(2, owner as unknown as LeaseOwner<FakeConnection>);
});

const member = () => new Member(new FakeConnection(), 0, Number.POSITIVE_INFINITY, 10);

function ask(name: string): void {
  const use = (lease: Lease<FakeConnection>) => leases.push([name, lease]);
  desk.line.join({ use, fail: () => {} }, 1_000, () => {});
}

describe('the desk for leases', () => {
  it('gives each connection to who has waited longest, and wants none for nobody', () => {
    expect(desk.wants).toBe(false);
    ask('a');
    ask('b');
    clock.advance(30);
    const [first, second] = [member(), member()];
    desk.give(first);
    desk.give(second);
    expect(leases.map(([name, { member: given }]) => [name, given === first])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect([desk.held, desk.wants, waits]).toEqual([2, false, [30, 30]]);
    expect(desk.leaseOf(second)).toBe(leases[1]![1]);
  });

  it('wants none while all leases are held', () => {
    for (const name of ['a', 'b', 'c']) ask(name);
    desk.give(member());
    expect(desk.wants).toBe(true);
    desk.give(member());
    expect([desk.wants, desk.line.pending]).toEqual([false, 1]);
    const [, lease] = leases[0]!;
    desk.takeBack(lease);
    expect([desk.wants, desk.held, desk.leaseOf(lease.member)]).toEqual([true, 1, undefined]);
  });

  it('takes one back that was taken back before', () => {
    ask('a');
    desk.give(member());
    const [, lease] = leases[0]!;
    desk.takeBack(lease);
    desk.takeBack(lease);
    expect(desk.held).toBe(0);
  });

  it('has a line that is bounded', () => {
    for (const name of ['a', 'b', 'c']) ask(name);
    expect(desk.line.full).toBe(true);
  });
});

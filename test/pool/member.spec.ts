import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { leastBusy, Member } from '../../lib/pool/member.js';
import { FakeConnection } from '../support/fake-connection.js';

function memberOf(
  inFlight = 0,
  maxStreams = 100,
  serverMax = Number.POSITIVE_INFINITY,
): Member<FakeConnection> {
  const connection = new FakeConnection(serverMax);
  for (let i = 0; i < inFlight; i += 1) connection.send();
  return new Member(connection, 5, Number.POSITIVE_INFINITY, maxStreams);
}

describe('a member of a pool', () => {
  it('has room below its own limit and below that of the server', () => {
    expect(
      [memberOf(1, 2), memberOf(2, 2), memberOf(1, 9, 2), memberOf(2, 9, 2)].map(({ hasRoom }) => hasRoom),
    ).toEqual([true, false, true, false]);
  });

  it('has none while it is in doubt, closes, is gone, or rests', () => {
    const [doubted, closing, gone, resting] = [1, 1, 1, 1].map(inFlight => memberOf(inFlight));
    doubted!.doubtedSince = 0;
    closing!.connection.close();
    gone!.connection.die();
    resting!.trust.rest();
    expect([doubted, closing, gone, resting].map(each => each!.hasRoom)).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('has room for one call when it is tried again', () => {
    const member = memberOf();
    member.trust.rest();
    member.trust.tryAgain();
    expect([member.hasRoom, member.inGoodStanding]).toEqual([true, false]);
    member.connection.send();
    expect(member.hasRoom).toBe(false);
  });

  it('is idle without calls, since it was opened or was found to live', () => {
    const member = memberOf();
    expect([member.idle, memberOf(1).idle, member.idleSince]).toEqual([true, false, 5]);
    member.lives(8);
    expect([member.idleSince, member.checkedAt]).toEqual([8, 8]);
  });

  it('is not in good standing when another is to take its place', () => {
    const member = memberOf();
    expect(member.inGoodStanding).toBe(true);
    member.due = 'lifetime';
    expect([member.inGoodStanding, member.hasRoom]).toEqual([false, true]);
  });

  it('is busier than any number while it rests', () => {
    const member = memberOf(8);
    expect([member.busierThan(7), member.busierThan(8)]).toEqual([true, false]);
    member.trust.rest();
    expect(member.busierThan(8)).toBe(true);
  });
});

describe('the least busy member', () => {
  it('is none of none, and none of full ones', () => {
    expect([leastBusy([]), leastBusy([memberOf(2, 2)])]).toEqual([undefined, undefined]);
  });

  it('is the first of those with the fewest calls that have room', () => {
    const load = fc.record({
      inFlight: fc.nat(5),
      maxStreams: fc.integer({ min: 1, max: 5 }),
      doubt: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(load, { maxLength: 8 }), loads => {
        const members = loads.map(({ inFlight, maxStreams, doubt }) => {
          const member = memberOf(Math.min(inFlight, maxStreams), maxStreams);
          if (doubt) member.doubtedSince = 0;
          return member;
        });
        const open = members.filter(({ hasRoom }) => hasRoom);
        const fewest = Math.min(...open.map(({ connection }) => connection.inFlight));
        expect(leastBusy(members)).toBe(open.find(({ connection }) => connection.inFlight === fewest));
      }),
    );
  });
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { Lease, type LeaseOwner } from '../../lib/pool/lease.js';
import { Member } from '../../lib/pool/member.js';
import { PoolFailure } from '../../lib/pool/pool-failure.js';
import { WaitingLine } from '../../lib/pool/waiting-line.js';
import { FakeClock } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';

let clock: FakeClock;
let connection: FakeConnection;
let happened: string[];
let lease: Lease<FakeConnection>;

beforeEach(() => {
  clock = new FakeClock();
  connection = new FakeConnection(1);
  happened = [];
  const owner: LeaseOwner<FakeConnection> = {
    acquireTimeoutMs: 500,
    ended: (_member, verdict, sentAt) => happened.push(`ended ${verdict}, sent at ${sentAt}`),
    waited: ms => happened.push(`waited ${ms}`),
    now: () => clock.now(),
    newLine: () => new WaitingLine(2, clock, () => happened.push('timed out')),
    failure: (reason, pending) =>
      new PoolFailure(reason, { size: 0, maxConnections: 1, inFlight: 0, pending, leases: 1, maxLeases: 1 }),
    released: () => happened.push('released'),
  };
  const member = new Member(connection, clock.now(), Number.POSITIVE_INFINITY, 10);
  lease = new Lease(member, owner);
  connection.listen({ onRoom: () => lease.serve(), onClosing: () => lease.lost() });
});

function ask(name: string, limitMs = 1_000): () => void {
  const use = () => {
    happened.push(`${name} used it`);
    connection.send();
  };
  const fail = ({ reason, snapshot }: PoolFailure) =>
    happened.push(`${name}: ${reason}, ${snapshot.pending} wait`);
  return lease.acquire({ ticket: undefined, use, fail }, limitMs);
}

describe('a lease', () => {
  it('gives its calls its connection, in their order', () => {
    ask('a');
    ask('b');
    ask('c');
    clock.advance(20);
    connection.endCall();
    expect(happened).toEqual(['waited 0', 'a used it', 'waited 20', 'b used it']);
  });

  it('lets those leave that wait, and refuses more than the line takes', () => {
    ask('a');
    const leave = ask('b');
    ask('c');
    ask('d');
    leave();
    leave();
    connection.endCall();
    expect(happened).toEqual(['waited 0', 'a used it', 'd: lease-full, 2 wait', 'waited 0', 'c used it']);
  });

  it('bounds the wait by the sooner of the limits', () => {
    ask('a');
    ask('b', 100);
    ask('c', 1_000);
    clock.advance(100);
    expect(happened.slice(2)).toEqual(['timed out', 'b: lease-full, 1 wait']);
    clock.advance(400);
    expect(happened.slice(4)).toEqual(['timed out', 'c: lease-full, 0 wait']);
  });

  it('ends all waiting when its connection closes', () => {
    ask('a');
    ask('b');
    connection.goaway();
    ask('c');
    expect(happened.slice(2)).toEqual(['b: lease-lost, 0 wait', 'c: lease-lost, 0 wait']);
    expect([lease.whyNone().reason, clock.pending]).toEqual(['lease-lost', 0]);
  });

  it('is released once, which ends all waiting', () => {
    ask('a');
    ask('b');
    lease.release();
    lease.release();
    ask('c');
    expect(happened.slice(2)).toEqual(['b: released, 0 wait', 'released', 'c: released, 0 wait']);
    expect([clock.pending, lease.released]).toEqual([0, true]);
  });

  it('tells its pool what calls say of the connection', () => {
    lease.ended(lease.member, 'silent', 7);
    expect(happened).toEqual(['ended silent, sent at 7']);
  });
});

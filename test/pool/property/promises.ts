import { isDeepStrictEqual } from 'node:util';
import { expect } from '@jest/globals';
import type { FakeConnection } from '../../support/fake-connection.js';
import type { RandomRun } from './random-run.js';

/** Everything that must hold between any two events. */
export function expectPromisesKept(run: RandomRun): void {
  const broken = [
    ...run.wrongs,
    ...overLimits(run),
    ...wronged(run),
    ...besideRoom(run),
    ...helpless(run),
    ...tooMany(run),
  ];
  if (broken.length > 0) expect(broken).toEqual([]);
  // Matchers cost more than all the rest of a run: they are for what is wrong.
  const [told, counted] = [numbersTold(run), numbersCounted(run)];
  if (!isDeepStrictEqual(told, counted)) expect(told).toEqual(counted);
}

function overLimits({ settings, shared, held, alive, examined, network }: RandomRun): string[] {
  const { maxConnections, maxLeases } = settings;
  const taking = alive.filter(({ closeReason }) => closeReason === undefined).length;
  const numbers = [
    ['shared', shared.length, maxConnections],
    ['held', held.length, maxLeases],
    ['being opened', network.trying.length + (examined ? 1 : 0), 1],
    ['open', taking, maxConnections + maxLeases + 1],
  ] as const;
  return numbers.flatMap(([what, number, most]) =>
    number > most ? [`${number} ${what}, at most ${most}`] : [],
  );
}

/** Those who were not answered exactly once, or wait beyond their limit. */
function wronged({
  guests,
  holders,
  clock,
  closing,
  waiting,
  waitingForLease,
  underWay,
}: RandomRun): string[] {
  const now = clock.now();
  const found: string[] = [];
  for (const { id, fate, answers, untilMs } of [...guests, ...holders]) {
    const due = fate === 'served' || fate === 'failed' ? 1 : 0;
    if (answers !== due) found.push(`${id} has ${fate} and got ${answers} answers`);
    if (fate === 'waiting' && untilMs <= now)
      found.push(`${id} still waits at ${now}, and was to wait until ${untilMs}`);
  }
  const left = waiting.length + waitingForLease.length + underWay.length;
  if (closing && left > 0) found.push(`${left} wait for a closed pool`);
  return found;
}

/** Those who wait though there is room. */
function besideRoom(run: RandomRun): string[] {
  const { shared, members, waiting } = run;
  const found: string[] = [];
  if (waiting.length > 0) {
    // One that was idle for long is asked first; which of several is asked first is the pool's own choice.
    const asked = shared.some(({ beingChecked }) => beingChecked);
    const free = shared.filter(each => hasRoom(run, each) && !(asked && run.outOfTouch(each)));
    for (const { inFlight } of free)
      found.push(`${waiting.length} wait, and there is one with ${inFlight} in flight`);
  }
  for (const { id, lease, connection } of run.held) {
    const own = run.waitingAt(lease!).length;
    if (own > 0 && hasRoom(run, connection!))
      found.push(`${own} calls wait for the lease of ${id}, which has room`);
  }
  // When there are only such that failed, they are tried.
  const allRest = shared.length > 0 && shared.every(each => members.get(each)?.trust.resting);
  if (allRest) found.push('all connections rest');
  return found;
}

/** Somebody waits, one more connection is allowed, and it is neither being opened nor will it be. */
function helpless(run: RandomRun): string[] {
  const { settings, network, clock, shared, examined } = run;
  const inDoubt = shared.some(({ beingChecked }) => beingChecked);
  const forCalls = run.callsNeedAnother && !inDoubt;
  const forMinimum = shared.length < run.minShared;
  const wanted = forCalls || run.leasesNeedAnother || forMinimum || run.underWay.length > 0;
  if (run.closing || !wanted || network.trying.length > 0 || examined) return [];
  // With ageing on there are timers that cannot be told apart.
  if (settings.idleTimeoutMs > 0 || settings.maxLifetimeMs > 0) return [];
  const waiting = [...run.guests, ...run.holders].filter(({ fate }) => fate === 'waiting').length;
  const checks = run.alive.filter(({ beingChecked }) => beingChecked).length;
  const resting = [...run.members.values()].filter(({ trust, leaving }) => trust.resting && !leaving).length;
  const timers = clock.pending - waiting - checks - resting;
  return timers === 1 ? [] : [`a connection is wanted, and ${timers} timers are there for it`];
}

/** It winds down, and keeps one that nobody needs, or replaces some. */
function tooMany(run: RandomRun): string[] {
  const { shared, windingDown, closing, underWay } = run;
  if (!windingDown || closing) return [];
  const found = underWay.length > 0 ? ['a reconnect is under way'] : [];
  const idle = shared.filter(({ inFlight, beingChecked, open }) => inFlight === 0 && !beingChecked && open);
  const surplus = idle.filter(each =>
    shared.some(other => other !== each && hasRoom(run, other) && trusted(run, other) >= trusted(run, each)),
  );
  if (surplus.length > 0) found.push(`${surplus.length} could be closed`);
  return found;
}

/** What the pool says, but for durations. */
function numbersTold({ pool }: RandomRun) {
  const { waitMs, createMs, useMs, ...stats } = pool.stats();
  return { ...stats, waits: waitMs.count, creations: createMs.count, uses: useMs.count };
}

/** The same by the test's own account. */
function numbersCounted(run: RandomRun): ReturnType<typeof numbersTold> {
  const { network, alive, shared, held, settings, examined } = run;
  const leaving = alive.filter(({ closeReason }) => closeReason !== undefined);
  const idle = shared.filter(({ inFlight }) => inFlight === 0).length;
  const leased = held.filter(({ connection }) => connection!.closeReason === undefined);
  const beingExamined = examined && !leaving.includes(examined) ? 1 : 0;
  const there = shared.length + leaving.length + leased.length + beingExamined;
  if (there !== alive.length) throw new Error(`${alive.length} connections, ${there} accounted for`);
  const closed = run.closedByReason();
  const gone = Object.values(closed).reduce((sum, count) => sum + count);
  if (alive.length + gone !== network.connections.length) throw new Error(`${gone} closed, as was told`);
  const { minConnections: min, maxConnections: max, maxLeases } = settings;
  return {
    connections: {
      size: shared.length,
      idle,
      used: shared.length - idle,
      creating: network.trying.length + (examined ? 1 : 0),
      leaving: leaving.length,
      min,
      max,
      overflow: shared.length - min,
    },
    inFlight: alive.reduce((sum, { inFlight }) => sum + inFlight, 0),
    pending: run.waiting.length,
    leases: { held: held.length, pending: run.waitingForLease.length, max: maxLeases },
    created: network.connections.length,
    closed,
    acquireTimeouts: run.timeouts,
    waits: run.uses,
    creations: network.connections.length,
    uses: run.ended,
  };
}

function hasRoom(run: RandomRun, connection: FakeConnection): boolean {
  const { open, beingChecked, inFlight, maxStreams } = connection;
  const most = Math.min(run.settings.maxStreamsPerConnection, maxStreams, trusted(run, connection));
  return open && !beingChecked && inFlight < most;
}

/** With how many calls at once. */
function trusted({ members }: RandomRun, connection: FakeConnection): number {
  return members.get(connection)?.trust.calls ?? Number.POSITIVE_INFINITY;
}

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { settled } from '../support/fake-clock.js';
import { FakeConnection } from '../support/fake-connection.js';
import { PoolRun } from './pool-run.js';

const SHORT_LIFE_MS = 1_000;

const settings = fc.record({
  minConnections: fc.nat(2),
  maxConnections: fc.integer({ min: 2, max: 3 }),
  maxStreamsPerConnection: fc.constantFrom(1, 2, 3, 12),
  acquireTimeoutMs: fc.integer({ min: 1, max: 3_000 }),
  maxPending: fc.integer({ min: 1, max: 20 }),
});

const which = fc.nat(1_000);

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('acquire' as const), limitMs: fc.nat(4_000) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('call ends' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), which }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('opened' as const),
      maxStreams: fc.constantFrom(0, 2, 5, ...Array<number>(4).fill(Number.POSITIVE_INFINITY)),
      // It may be gone, or going, before the pool holds it.
      fate: fc.constantFrom(
        'lives' as const,
        'lives' as const,
        'lives' as const,
        'broken' as const,
        'leaving' as const,
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('refused' as const),
      failure: fc.constantFrom('unreachable' as const, 'timeout' as const, 'tls' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('breaks' as const), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('dies unnoticed' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('goaway' as const), which }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('settings' as const), which, maxStreams: fc.nat(6) }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('time' as const), ms: fc.nat(1_500) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('start' as const) }) },
);

// Long ones from the start: a pool of some size takes a while to come about.
const script = fc.array(step, { minLength: 30, maxLength: 150, size: 'max' });

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Connections by when they were opened, and what the pool may do when: kept apart from the pool's own bookkeeping. */
class Watch {
  private readonly openedAtMs = new Map<FakeConnection, number>();
  private readonly ended = new Set<FakeConnection>();
  private failures = 0;
  private shortLives = 0;
  private lastTroubleAtMs = Number.NEGATIVE_INFINITY;
  private triesSeen = 0;

  constructor(private readonly run: PoolRun) {}

  opened(connection: FakeConnection): void {
    this.openedAtMs.set(connection, this.run.clock.now());
    this.failures = 0;
  }

  failed(): void {
    this.failures += 1;
    this.lastTroubleAtMs = this.run.clock.now();
  }

  /** To be called before the pool learns of it. */
  ends(connection: FakeConnection): void {
    if (this.ended.has(connection)) return;
    this.ended.add(connection);
    const age = this.run.clock.now() - this.openedAtMs.get(connection)!;
    this.shortLives = age < SHORT_LIFE_MS ? this.shortLives + 1 : 0;
    this.lastTroubleAtMs = this.run.clock.now();
  }

  /** No try to connect since the last look came sooner than the schedule has it. */
  lookAtTries(): void {
    const { triedAtMs } = this.run.network;
    const trouble = Math.max(this.failures, this.shortLives);
    const pauseMs = trouble === 0 ? 0 : Math.min(500, 100 * 2 ** (trouble - 1)) / 2;
    for (const atMs of triedAtMs.slice(this.triesSeen)) {
      expect(atMs - this.lastTroubleAtMs).toBeGreaterThanOrEqual(pauseMs);
    }
    this.triesSeen = triedAtMs.length;
  }
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list.length === 0 ? undefined : list[index % list.length];
}

/** Everything that must hold between any two events. */
function check(run: PoolRun, unnoticed: Set<FakeConnection>): void {
  const { pool, network, clock, waiting } = run;
  const { maxConnections, maxStreamsPerConnection } = run.settings;
  const open = network.open;

  expect(open.length).toBeLessThanOrEqual(maxConnections);
  expect(network.maxTryingAtOnce).toBeLessThanOrEqual(1);
  const wronged = run.guests.filter(
    ({ fate, answers, untilMs }) =>
      answers !== (fate === 'served' || fate === 'failed' ? 1 : 0) ||
      (fate === 'waiting' && untilMs <= clock.now()),
  );
  expect(wronged).toEqual([]);
  expect(run.events.filter(event => /overtook|takes no calls|full connection/.test(event))).toEqual([]);
  const withRoom = open.filter(
    ({ inFlight, maxStreams }) => inFlight < Math.min(maxStreamsPerConnection, maxStreams),
  );
  if (waiting.length > 0) expect(withRoom).toEqual([]);

  const held = network.connections.filter(({ closed }) => !closed);
  const idle = held.filter(({ inFlight }) => inFlight === 0).length;
  expect(pool.stats()).toEqual({
    connections: {
      size: held.length,
      idle,
      used: held.length - idle,
      creating: network.trying.length,
      min: run.settings.minConnections,
      max: maxConnections,
    },
    inFlight: held.reduce((sum, { inFlight }) => sum + inFlight, 0),
    pending: waiting.length,
  });

  if (pool.state === 'draining' || pool.state === 'closed') {
    expect([clock.pending, waiting.length, network.trying.length]).toEqual([0, 0, 0]);
  } else if (waiting.length > 0 && open.length < maxConnections && unnoticed.size === 0) {
    // Somebody waits and one more is allowed: it is being opened, or will be.
    expect(clock.pending - waiting.length + network.trying.length).toBe(1);
  }
}

describe('whatever happens to a pool', () => {
  const fraction = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

  it('its promises hold', async () => {
    await fc.assert(
      fc.asyncProperty(settings, script, fraction, fc.boolean(), async (options, steps, random, gently) => {
        const run = new PoolRun(options, () => random);
        const watch = new Watch(run);
        const unnoticed = new Set<FakeConnection>();

        const apply = async (each: Step): Promise<void> => {
          const { network } = run;
          const alive = network.connections.filter(({ closed }) => !closed);
          switch (each.kind) {
            case 'start':
              return run.pool.start();
            case 'acquire':
              run.acquire(each.limitMs);
              // A limit of 0 is reached with the next tick of the clock.
              return run.clock.advance(0);
            case 'call ends':
              return pick(
                alive.filter(({ inFlight, open }) => inFlight > 0 && open),
                each.which,
              )?.endCall();
            case 'leave':
              return pick(run.guests, each.which)?.leave();
            case 'opened': {
              if (network.trying.length === 0) return;
              const connection = new FakeConnection(each.maxStreams);
              watch.opened(connection);
              if (each.fate !== 'lives') watch.ends(connection);
              if (each.fate === 'broken') connection.break();
              if (each.fate === 'leaving') connection.goaway();
              network.succeed(connection);
              return;
            }
            case 'refused':
              if (network.trying.length === 0) return;
              watch.failed();
              return network.fail(each.failure);
            case 'breaks': {
              const connection = pick(alive, each.which);
              if (!connection) return;
              watch.ends(connection);
              unnoticed.delete(connection);
              return connection.break();
            }
            case 'dies unnoticed': {
              const connection = pick(network.open, each.which);
              if (!connection) return;
              unnoticed.add(connection);
              return connection.die();
            }
            case 'goaway': {
              const connection = pick(network.open, each.which);
              if (!connection) return;
              watch.ends(connection);
              return connection.goaway();
            }
            case 'settings':
              return pick(network.open, each.which)?.changeMaxStreams(each.maxStreams);
            case 'time':
              return run.clock.advanceAsync(each.ms);
          }
        };

        for (const each of steps) {
          await apply(each);
          await settled();
          watch.lookAtTries();
          check(run, unnoticed);
        }

        const served = run.guests.filter(({ fate }) => fate === 'served').length;
        run.close(gently ? 'close' : 'destroy');
        expect(run.clock.pending).toBe(0);
        await settled();
        check(run, unnoticed);
        for (const connection of run.network.connections) {
          if (unnoticed.has(connection)) connection.break();
          while (connection.inFlight > 0) connection.endCall();
        }
        await settled();
        check(run, unnoticed);
        expect(run.acquire().reason).toBe('closed');
        expect([run.closed, run.pool.state]).toEqual([true, 'closed']);
        expect(run.guests.filter(({ fate }) => fate === 'served').length).toBe(served);
      }),
      { numRuns: 100 },
    );
  }, 60_000);
});

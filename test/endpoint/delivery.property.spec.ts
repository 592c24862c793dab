import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import type { Repeatability } from '../../lib/resilience/setback.js';
import type { AttemptOutcome } from '../../lib/transport/attempt.js';
import { answered, failed } from './attempts.js';
import { DeliveryRun, type FakeAttempt, policy } from './delivery-run.js';
import { WatchedCircuit } from './watched-circuit.js';

/** What an attempt may end with, and who may be sent again after it. */
const outcomes: Record<
  string,
  { outcome: AttemptOutcome; again: Repeatability[]; free?: boolean; limit?: boolean }
> = {
  success: { outcome: answered({ code: 0 }), again: [] },
  refusal: { outcome: answered({ code: 1100 }), again: [] },
  'not ready': { outcome: answered({ code: 2 }), again: ['read', 'repeatable'] },
  moving: { outcome: answered({ code: 503 }), again: ['read'] },
  'rate limit': { outcome: answered({ code: 8 }), again: ['read', 'repeatable', 'once'], limit: true },
  unreadable: { outcome: { ok: true, message: Buffer.from('{') }, again: [] },
  unavailable: { outcome: failed(), again: ['read', 'repeatable'] },
  internal: { outcome: failed({ code: 13 }), again: [] },
  denied: { outcome: failed({ code: 7 }), again: [] },
  reset: { outcome: failed({ origin: 'transport', code: 13 }), again: ['read', 'repeatable'] },
  'refused stream': {
    outcome: failed({ origin: 'transport', processed: 'no' }),
    again: ['read', 'repeatable', 'once'],
  },
  goaway: {
    outcome: failed({ origin: 'transport', processed: 'no' }),
    again: ['read', 'repeatable', 'once'],
    free: true,
  },
  'too large': { outcome: failed({ origin: 'transport', code: 8, unreadable: true }), again: [] },
};

const rpcs = { Search: 'read', LoadCollection: 'repeatable', Insert: 'once' } as const;

const step = fc.record({
  /** In the line; none: at once. */
  waitMs: fc.oneof(fc.constant(0), fc.nat(300), fc.nat(3_000)),
  answerMs: fc.oneof(fc.nat(20), fc.nat(800)),
  ending: fc.constantFrom(...Object.keys(outcomes)),
});

const scenario = fc.record({
  rpc: fc.constantFrom(...(Object.keys(rpcs) as Array<keyof typeof rpcs>)),
  idempotent: fc.boolean(),
  retry: fc.oneof(
    fc.constant(false as const),
    fc.record({ maxAttempts: fc.integer({ min: 1, max: 5 }), jitter: fc.constantFrom('full', 'none') }),
  ),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  timeoutMs: fc.integer({ min: 1, max: 6_000 }),
  deadlineMs: fc.integer({ min: 1, max: 6_000 }),
  floor: fc.constantFrom(0, 0.1, 10),
  cancelAtMs: fc.option(fc.nat(6_000)),
  steps: fc.array(step, { minLength: 1, maxLength: 12 }),
});

type Scenario = typeof scenario extends fc.Arbitrary<infer S> ? S : never;

/** Lets it happen, and notes how each attempt ended. */
async function play({ steps, retry, floor, cancelAtMs, ...options }: Scenario) {
  const circuit = new WatchedCircuit(2);
  const run = new DeliveryRun({
    ...options,
    circuit,
    retry: retry && { ...policy, ...retry },
    budget: new RetryBudget({ ratio: 0, minPerSecond: floor }),
  });
  const { pool, clock } = run;
  const ended: string[] = [];
  let next = 0;
  const now = () => steps[Math.min(next, steps.length - 1)]!;
  const finish = (attempt: FakeAttempt, ending: string, outcome: AttemptOutcome) => {
    if (attempt.over) return;
    next += 1;
    ended.push(ending);
    attempt.end(outcome);
  };
  pool.onAttempt = attempt => {
    const { answerMs, ending } = now();
    const { timeoutMs, graceMs = 0 } = attempt.request;
    const limitMs = timeoutMs + graceMs;
    expect(timeoutMs).toBeLessThanOrEqual(Math.min(options.timeoutMs, options.deadlineMs));
    const timedOut = answerMs >= limitMs;
    clock.schedule(
      () => {
        pool.member.connection.open = !outcomes[ending]!.free;
        if (timedOut) finish(attempt, 'timeout', failed({ origin: 'caller', code: 4 }));
        else finish(attempt, ending, outcomes[ending]!.outcome);
      },
      timedOut ? limitMs : answerMs,
    );
    attempt.cancel = () => finish(attempt, 'cancel', failed({ origin: 'caller', code: 1 }));
  };
  pool.onWait = waiting => {
    const { waitMs } = now();
    const late = waitMs > waiting.limitMs;
    clock.schedule(
      () => {
        if (!pool.leave(waiting)) return;
        if (late) waiting.user.fail(pool.why);
        else waiting.user.use(pool.member);
      },
      late ? waiting.limitMs : waitMs,
    );
  };
  pool.room = false;
  const cancel = () => {
    run.ended = true;
    if (!run.settled) run.delivery.cancel();
  };
  if (cancelAtMs !== null) clock.schedule(cancel, cancelAtMs);
  // As a call does at its deadline.
  clock.schedule(cancel, options.deadlineMs);
  run.begin();
  const limitMs = Math.min(options.timeoutMs, options.deadlineMs);
  await clock.advanceAsync(limitMs);
  return { run, ended, limitMs, circuit };
}

describe('a delivery, whatever befalls it', () => {
  it('is sent no more than its nature and its policy allow, and settles once, by its deadline', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async given => {
        const { run, ended, limitMs, circuit } = await play(given);
        const nature = given.idempotent ? 'read' : rpcs[given.rpc];
        const { rpcs: sentRpcs, attempts, retries, unknownOutcomes } = run.figures.snapshot();

        expect(run.settled).toBe(true);
        expect(run.settledAfterMs).toBeLessThanOrEqual(limitMs);
        expect(run.forgotten).toBe(1);
        expect(circuit.told).toHaveLength(1);
        expect([run.answer === undefined, run.error === undefined]).toContain(false);
        expect(attempts).toBe(run.pool.attempts.length);
        expect(ended).toHaveLength(attempts);
        expect([sentRpcs, retries]).toEqual(attempts > 0 ? [1, attempts - 1] : [0, 0]);

        // Every attempt but the last ended so that there may be another one.
        const repeated = ended.slice(0, -1);
        for (const ending of repeated) expect(outcomes[ending]?.again ?? []).toContain(nature);
        const free = repeated.findIndex(ending => outcomes[ending]!.free);
        const byPolicy = repeated.filter((_, index) => index !== free);
        if (given.retry === false) expect(byPolicy).toEqual([]);
        else {
          const counted = byPolicy.filter(ending => !outcomes[ending]!.limit);
          expect(counted.length).toBeLessThan(given.retry.maxAttempts);
          expect(counted.length).toBeLessThanOrEqual(10 * given.floor);
        }
        expect(unknownOutcomes).toBeLessThanOrEqual(rpcs[given.rpc] === 'read' ? 0 : 1);

        // Nothing goes on.
        await run.clock.advanceAsync(60_000);
        expect(run.pool.attempts).toHaveLength(attempts);
        expect([run.forgotten, run.clock.pending, run.pool.waiting.length]).toEqual([1, 0, 0]);
      }),
      { numRuns: 500 },
    );
  });

  it('is repeated where it may be: one that reads, in a server that recovers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('not ready', 'moving', 'unavailable', 'reset', 'goaway'),
        async ending => {
          const steps = [ending, ending, 'success'].map(each => ({ waitMs: 0, answerMs: 5, ending: each }));
          const { run } = await play({
            rpc: 'Search',
            idempotent: false,
            retry: { maxAttempts: 3, jitter: 'none' },
            random: 0,
            timeoutMs: 6_000,
            deadlineMs: 6_000,
            floor: 10,
            cancelAtMs: null,
            steps,
          });
          expect(run.answer).toEqual({ code: 0 });
        },
      ),
    );
  });
});

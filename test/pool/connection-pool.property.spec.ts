import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { settled } from '../support/fake-clock.js';
import { expectPromisesKept } from './property/promises.js';
import { RandomRun } from './property/random-run.js';
import { fraction, lateScript, script, settings } from './property/steps.js';

const endings = ['close', 'close within', 'destroy'] as const;
const CLOSE_LIMIT_MS = 300;

/** Closes the pool, and expects that nothing is left of it. */
async function end(run: RandomRun, how: (typeof endings)[number]): Promise<void> {
  const { network, clock, pool, guests } = run;
  const served = () => guests.filter(({ fate }) => fate === 'served').length;
  const before = served();
  run.closing = true;
  if (how === 'close within') run.close('close', CLOSE_LIMIT_MS);
  else run.close(how);
  await settled();
  run.sweep();
  expectPromisesKept(run);
  // Of those that had calls in flight.
  const checks = run.alive.filter(({ beingChecked }) => beingChecked).length;
  expect(clock.pending).toBe(checks + (how === 'close within' && !run.closed ? 1 : 0));
  if (how === 'close within') {
    await clock.advanceAsync(CLOSE_LIMIT_MS);
    run.sweep();
    expect(run.closed).toBe(true);
  }
  for (const guest of run.inFlight) guest.ends();
  for (const connection of network.connections) {
    if (run.unnoticed.has(connection)) connection.break();
  }
  await settled();
  run.sweep();
  await clock.advanceAsync(1_000);
  expectPromisesKept(run);
  expect(run.acquire().reason).toBe('closed');
  expect(run.lease().reason).toBe('closed');
  await expect(pool.reconnect()).rejects.toMatchObject({ reason: 'closed' });
  for (const holder of run.held) holder.release();
  expect([run.closed, pool.state, clock.pending, served()]).toEqual([true, 'closed', 0, before]);
  expect(run.alive).toEqual([]);
  expectPromisesKept(run);
}

/** Lets everything go well, and expects that nobody waits any more and that the pool has the size it should have. */
async function recover(run: RandomRun): Promise<void> {
  await run.calm();
  expect([run.waiting.length, run.waitingForLease.length, run.underWay.length]).toEqual([0, 0, 0]);
  expectPromisesKept(run);
  const { idleTimeoutMs, minConnections, maxLifetimeMs } = run.settings;
  if (run.windingDown) return expect(run.shared.length).toBeLessThanOrEqual(1);
  if (!run.started || idleTimeoutMs === 0 || maxLifetimeMs > 0) return;
  await run.clock.advanceAsync(2 * idleTimeoutMs);
  expect(run.pool.stats().connections).toMatchObject({
    size: minConnections,
    overflow: 0,
    used: 0,
    leaving: 0,
  });
}

// `POOL_RUNS=10000` looks further.
describe('whatever happens to a pool', () => {
  it('its promises hold', async () => {
    const how = fc.constantFrom(...endings);
    await fc.assert(
      fc.asyncProperty(
        settings,
        script,
        lateScript,
        fraction,
        fc.boolean(),
        how,
        async (options, steps, lateSteps, random, calm, ending) => {
          const run = new RandomRun(options, random);
          for (const each of steps) {
            await run.apply(each);
            expectPromisesKept(run);
          }
          if (lateSteps) {
            await run.windDown();
            expectPromisesKept(run);
          }
          for (const each of lateSteps ?? []) {
            await run.apply(each);
            expectPromisesKept(run);
          }
          if (calm) await recover(run);
          await end(run, ending);
        },
      ),
      { numRuns: Number(process.env['POOL_RUNS'] ?? 200) },
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { settled } from '../support/fake-clock.js';
import { expectPromisesKept } from './property/promises.js';
import { RandomRun } from './property/random-run.js';
import { fraction, script, settings } from './property/steps.js';

/** Closes the pool, and expects that nothing is left of it. */
async function end(run: RandomRun, how: 'close' | 'destroy'): Promise<void> {
  const { network, clock, pool, guests } = run;
  const served = () => guests.filter(({ fate }) => fate === 'served').length;
  const before = served();
  run.closing = true;
  run.close(how);
  await settled();
  run.sweep();
  expectPromisesKept(run);
  // Of those that had calls in flight.
  expect(clock.pending).toBe(run.alive.filter(({ beingChecked }) => beingChecked).length);
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
    const how = fc.constantFrom('close' as const, 'destroy' as const);
    await fc.assert(
      fc.asyncProperty(
        settings,
        script,
        fraction,
        fc.boolean(),
        how,
        async (options, steps, random, calm, ending) => {
          const run = new RandomRun(options, random);
          for (const each of steps) {
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

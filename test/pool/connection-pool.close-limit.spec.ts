import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import { connectedRun } from './pool-run.js';

describe('close() with a limit', () => {
  it('ends what is left on the wire when it has passed', async () => {
    const [run, connection] = await connectedRun();
    const guest = run.acquire();
    run.close('close', 1_000);
    await run.clock.advanceAsync(999);
    expect([run.closed, connection.closed, guest.inFlight]).toEqual([false, false, true]);
    // Somebody waits for it: the process must not end before.
    expect(run.clock.keepingAlive).toBe(1);
    await run.clock.advanceAsync(1);
    expect([run.closed, connection.closed, run.pool.state]).toEqual([true, true, 'closed']);
    expect(run.pool.stats().closed.drain).toBe(1);
  });

  it('is over sooner when everything has ended, and leaves no timer', async () => {
    const [run] = await connectedRun();
    const guest = run.acquire();
    run.close('close', 1_000);
    guest.ends();
    await settled();
    expect([run.closed, run.clock.pending]).toEqual([true, 0]);
  });

  it('has none unless one is given', async () => {
    const [run, connection] = await connectedRun();
    run.acquire();
    run.close();
    expect(run.clock.pending).toBe(0);
    await run.clock.advanceAsync(1e9);
    expect([run.closed, connection.closed]).toEqual([false, false]);
  });

  it('takes the soonest of several', async () => {
    const [run, connection] = await connectedRun();
    run.acquire();
    run.close();
    run.close('close', 5_000);
    run.close('close', 100);
    await run.clock.advanceAsync(100);
    expect([run.closed, connection.closed, run.clock.pending]).toEqual([true, true, 0]);
  });
});

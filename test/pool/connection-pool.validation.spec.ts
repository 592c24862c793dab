import { describe, expect, it } from '@jest/globals';
import { settled } from '../support/fake-clock.js';
import type { FakeConnection } from '../support/fake-connection.js';
import { type PoolRun, type PoolSettings, runWith } from './pool-run.js';

/** A pool whose connections say nothing to a check until the test does, and have been idle for long. */
async function idleRun(count: number, settings: PoolSettings = {}): Promise<[PoolRun, FakeConnection[]]> {
  const [run, connections] = await runWith(count, {
    maxConnections: count,
    validateAfterIdleMs: 1_000,
    ...settings,
  });
  for (const connection of connections) connection.onCheck = 'waits';
  await run.clock.advanceAsync(2_000);
  return [run, connections];
}

describe('a connection that was idle for long', () => {
  it('is checked before it is used, and then used by who waits', async () => {
    const [run, [connection]] = await idleRun(1);
    const guest = run.acquire();
    expect([guest.fate, connection!.checked]).toEqual(['waiting', 1]);
    connection!.answerChecks(true);
    await settled();
    expect(guest.connection).toBe(connection);
    expect(run.acquire().fate).toBe('served');
    expect(connection!.checked).toBe(1);
  });

  it('is used without a check when it was not idle for long enough', async () => {
    const [run, [connection]] = await runWith(1, { validateAfterIdleMs: 1_000 });
    await run.clock.advanceAsync(999);
    const guest = run.acquire();
    guest.ends();
    await run.clock.advanceAsync(999);
    expect(run.acquire().fate).toBe('served');
    expect(connection!.checked).toBe(0);
  });

  it('is not checked while it has calls, however old it is', async () => {
    const [run, [connection]] = await runWith(1, { validateAfterIdleMs: 1_000 });
    run.acquire();
    await run.clock.advanceAsync(10_000);
    expect([run.acquire().fate, connection!.checked]).toEqual(['served', 0]);
  });

  it('counts as idle from the end of its last call', async () => {
    const [run, [connection]] = await idleRun(1);
    connection!.onCheck = true;
    const guest = run.acquire();
    await settled();
    await run.clock.advanceAsync(5_000);
    guest.ends();
    await run.clock.advanceAsync(999);
    expect([run.acquire().fate, connection!.checked]).toEqual(['served', 1]);
  });

  it('lets calls go to another one meanwhile', async () => {
    const [run, [first, second]] = await idleRun(2);
    second!.onCheck = true;
    first!.onCheck = 'waits';
    run.acquire();
    expect([first!.checked, second!.checked]).toEqual([1, 0]);
    // A second call asks the next one rather than wait in vain.
    second!.onCheck = true;
    first!.answerChecks(true);
    await settled();
    expect(run.guests[0]!.connection).toBe(first);
    const [other, [busy, idle]] = await runWith(2, {
      validateAfterIdleMs: 1_000,
      maxStreamsPerConnection: 5,
    });
    idle!.onCheck = 'waits';
    other.acquire();
    await other.clock.advanceAsync(1_000);
    const guest = other.acquire();
    expect([idle!.checked, guest.connection]).toEqual([1, busy]);
  });

  it('does not make the pool open another one, unless it is silent', async () => {
    const [run] = await idleRun(1, { maxConnections: 4 });
    const guest = run.acquire();
    expect([guest.fate, run.network.trying.length]).toEqual(['waiting', 0]);
    await run.clock.advanceAsync(1_000);
    expect([guest.fate, run.network.trying.length]).toEqual(['waiting', 1]);
    const fresh = await run.connected();
    expect(guest.connection).toBe(fresh);
  });

  it('is destroyed when it says nothing for a second, and replaced', async () => {
    const [run, [connection]] = await idleRun(1);
    run.acquire();
    await run.clock.advanceAsync(999);
    expect(connection!.open).toBe(true);
    await run.clock.advanceAsync(1);
    expect([connection!.closed, run.network.trying.length]).toEqual([true, 1]);
    expect(run.pool.stats().closed).toMatchObject({ failed: 1 });
  });

  it('does not keep a second caller from one that lives', async () => {
    const [run, connections] = await idleRun(2, { maxStreamsPerConnection: 1 });
    const guests = run.acquireAll(2);
    for (let i = 0; i < 2; i += 1) {
      for (const connection of connections) connection.answerChecks(true);
      await settled();
    }
    expect(guests.map(({ fate }) => fate)).toEqual(['served', 'served']);
  });

  it('makes one silent one a reason to ask all, so that nobody waits for each in turn', async () => {
    const [run, connections] = await idleRun(3);
    const guest = run.acquire();
    await run.clock.advanceAsync(1_000);
    expect(connections.map(({ checked }) => checked)).toEqual([1, 1, 1]);
    connections[2]!.answerChecks(true);
    await settled();
    expect(guest.connection).toBe(connections[2]);
  });

  it('makes one silent one a reason to open another at once, whatever the others will say', async () => {
    const [run, [, second]] = await idleRun(2, { maxConnections: 4 });
    const guest = run.acquire();
    await run.clock.advanceAsync(1_000);
    expect([second!.beingChecked, run.network.trying.length]).toEqual([true, 1]);
    expect((await run.connected()) === guest.connection).toBe(true);
  });

  it('is not taken to live for new settings, when these came while nobody waited', async () => {
    const [run, [connection]] = await idleRun(1);
    connection!.changeMaxStreams(50);
    await run.clock.advanceAsync(1);
    expect([run.acquire().fate, connection!.checked]).toEqual(['waiting', 1]);
  });

  it('is checked before every use after idling when the limit is 0', async () => {
    const [run, [connection]] = await runWith(1, { validateAfterIdleMs: 0 });
    for (const uses of [1, 2, 3]) {
      const guest = run.acquire();
      expect(guest.fate).toBe('waiting');
      await settled();
      expect([guest.fate, connection!.checked]).toEqual(['served', uses]);
      expect(run.acquire().fate).toBe('served');
      for (const each of run.guests) if (each.inFlight) each.ends();
    }
  });

  it('is asked when the one that was asked first goes away by itself', async () => {
    const [run, [first, second]] = await idleRun(2);
    const guest = run.acquire();
    expect([first!.checked, second!.checked]).toEqual([1, 0]);
    first!.goaway();
    await settled();
    expect(second!.checked).toBe(1);
    second!.answerChecks(true);
    await settled();
    expect(guest.connection).toBe(second);
  });

  it('is good for a second when it was checked for nothing', async () => {
    const [run, [first, second]] = await runWith(2, { validateAfterIdleMs: 0, maxConnections: 2 });
    run.acquire().leave();
    await settled();
    await run.clock.advanceAsync(500);
    const guest = run.acquire();
    expect([guest.connection, first!.checked, second!.checked]).toEqual([first, 1, 0]);
    guest.ends();
    expect(run.acquire().fate).toBe('waiting');
  });

  it('is not checked again while others serve, if nobody has used it since', async () => {
    const [run, [first, second]] = await runWith(2, { validateAfterIdleMs: 1_000, maxConnections: 2 });
    const [a, b] = run.acquireAll(2);
    a!.ends();
    await run.clock.advanceAsync(600);
    b!.ends();
    await run.clock.advanceAsync(400);
    const guest = run.acquire();
    await run.clock.advanceAsync(500);
    guest.ends();
    await run.clock.advanceAsync(600);
    expect([guest.connection, first!.checked]).toEqual([second, 1]);
    expect([run.acquire().connection, first!.checked]).toEqual([second, 1]);
  });

  it('does not outlive the pool', async () => {
    const [run, [connection]] = await idleRun(1);
    run.acquire();
    run.close();
    await settled();
    expect([connection!.closed, run.closed, run.clock.pending]).toEqual([true, true, 0]);
    expect(run.pool.stats().closed).toMatchObject({ drain: 1, failed: 0 });
  });
});

describe('a connection on which a call got no byte until its time was up', () => {
  it('is checked at once, and left alone meanwhile', async () => {
    const [run, [connection]] = await runWith(1, { maxConnections: 1 });
    connection!.onCheck = 'waits';
    const [guest] = run.acquireAll(2);
    guest!.ends('silent');
    expect([connection!.checked, run.acquire().fate]).toEqual([1, 'waiting']);
    connection!.answerChecks(true);
    await settled();
    expect(run.guests[2]!.fate).toBe('served');
  });

  it('is closed when it is silent, but its calls go on as long as they can', async () => {
    const [run, [connection]] = await runWith(1, { maxConnections: 1 });
    connection!.onCheck = 'waits';
    const [guest, other] = run.acquireAll(2);
    guest!.ends('silent');
    await run.clock.advanceAsync(1_000);
    expect([connection!.open, connection!.closed, run.network.trying.length]).toEqual([false, false, 1]);
    other!.ends();
    await settled();
    expect(connection!.closed).toBe(true);
    expect(run.pool.stats().closed).toMatchObject({ failed: 1 });
  });

  it('is not asked again within 5 s of an answer', async () => {
    const [run, [connection]] = await runWith(1);
    const silent = async () => {
      run.acquire().ends('silent');
      await settled();
      return connection!.checked;
    };
    expect(await silent()).toBe(1);
    run.acquire().ends('answered');
    await run.clock.advanceAsync(4_999);
    expect(await silent()).toBe(1);
    run.acquire().ends('answered');
    await run.clock.advanceAsync(1);
    expect(await silent()).toBe(2);
  });

  it.each(['answered', 'failed', 'nothing'] as const)('is not asked after a call that %s', async verdict => {
    const [run, [connection]] = await runWith(1);
    run.acquire().ends(verdict);
    expect(connection!.checked).toBe(0);
  });
});

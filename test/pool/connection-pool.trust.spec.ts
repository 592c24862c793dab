import { describe, expect, it } from '@jest/globals';
import type { FakeConnection } from '../support/fake-connection.js';
import { type PoolRun, type PoolSettings, runWith } from './pool-run.js';

/** The next call, on this one of two connections. */
function callOn(run: PoolRun, connection: FakeConnection) {
  for (let i = 0; i < 10; i += 1) {
    const guest = run.acquire();
    if (guest.connection === connection) return guest;
  }
  throw new Error('it gets no calls');
}

/** Two connections; the first has failed three times in a row while the second answered. */
async function restingRun(settings: PoolSettings = {}): Promise<[PoolRun, FakeConnection, FakeConnection]> {
  const [run, [bad, good]] = await runWith(2, { maxConnections: 2, ...settings });
  const guests = run.acquireAll(6);
  const on = (connection: FakeConnection) => guests.filter(each => each.connection === connection);
  const [first, ...others] = on(bad!);
  first!.ends('failed');
  run.clock.advance(1);
  for (const guest of on(good!)) guest.ends('answered');
  for (const guest of others) guest.ends('failed');
  return [run, bad!, good!];
}

describe('a connection that keeps failing', () => {
  it('is left alone for a second when another one answers', async () => {
    const [run, bad, good] = await restingRun();
    run.acquireAll(8);
    expect([bad.inFlight, good.inFlight]).toEqual([0, 8]);
    run.clock.advance(999);
    expect(run.acquire().connection).toBe(good);
    run.clock.advance(1);
    expect(run.acquire().connection).toBe(bad);
  });

  it('is then tried with one call at a time until one is answered', async () => {
    const [run, bad, good] = await restingRun();
    run.clock.advance(1_000);
    run.acquireAll(4);
    expect([bad.inFlight, good.inFlight]).toEqual([1, 3]);
    const trial = run.guests.find(({ inFlight, connection }) => inFlight && connection === bad)!;
    trial.ends('nothing');
    run.acquireAll(2);
    expect([bad.inFlight, good.inFlight]).toEqual([1, 4]);
    run.guests.find(({ inFlight, connection }) => inFlight && connection === bad)!.ends('answered');
    run.acquireAll(4);
    expect([bad.inFlight, good.inFlight]).toEqual([4, 4]);
  });

  it('rests longer with each failed trial, to half a minute, and as at first after an answer', async () => {
    const [run, bad] = await restingRun();
    const rests: number[] = [];
    for (let i = 0; i < 7; i += 1) {
      const restMs = run.clock.nextInMs!;
      rests.push(restMs);
      run.clock.advance(restMs);
      callOn(run, bad).ends('failed');
    }
    expect(rests).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    run.clock.advance(run.clock.nextInMs!);
    callOn(run, bad).ends('answered');
    expect(run.clock.pending).toBe(0);
  });

  it('is no failing one with two failures, or with an answer between', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2 });
    for (const verdict of ['failed', 'failed', 'answered', 'failed', 'failed'] as const) {
      callOn(run, second!).ends('answered');
      run.clock.advance(1);
      callOn(run, first!).ends(verdict);
      for (const each of run.guests) if (each.inFlight) each.ends('nothing');
    }
    expect(run.clock.pending).toBe(0);
    expect(run.acquireAll(2).some(({ connection }) => connection === first)).toBe(true);
  });

  it('is no failing one when its callers had less than a second', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2 });
    const silent = async (ms: number) => {
      for (let i = 0; i < 3; i += 1) {
        const guests = run.acquireAll(2);
        const on = (connection: FakeConnection) => guests.find(each => each.connection === connection)!;
        const [bad, good] = [on(first!), on(second!)];
        await run.clock.advanceAsync(ms);
        good.ends('answered');
        bad.ends('silent');
        await run.clock.advanceAsync(1);
      }
      return run.clock.pending;
    };
    expect(await silent(999)).toBe(0);
    expect(await silent(1_000)).toBe(1);
  });

  it('is not left alone when no other works', async () => {
    const [alone, [only]] = await runWith(1, { maxConnections: 1 });
    for (let i = 0; i < 10; i += 1) callOn(alone, only!).ends('failed');
    expect([alone.clock.pending, alone.acquireAll(5).every(({ fate }) => fate === 'served')]).toEqual([
      0,
      true,
    ]);

    const [run, both] = await runWith(2, { maxConnections: 2 });
    for (let i = 0; i < 20; i += 1) run.acquire().ends('failed');
    expect(run.clock.pending).toBe(0);
    run.acquireAll(4);
    expect(both.map(({ inFlight }) => inFlight)).toEqual([2, 2]);
  });

  it('is not left alone for an answer that another one gave before', async () => {
    const [run, [first, second]] = await runWith(2, { maxConnections: 2 });
    callOn(run, second!).ends('answered');
    for (const guest of run.guests) if (guest.inFlight) guest.ends('nothing');
    run.clock.advance(1);
    const guests = run.acquireAll(8).filter(({ connection }) => connection === first);
    for (const guest of guests) guest.ends('failed');
    expect([guests.length, run.clock.pending]).toEqual([4, 0]);
  });

  it('lets another one have the calls that come one by one', async () => {
    const [run, [bad]] = await runWith(2, { maxConnections: 2 });
    let failed = 0;
    for (let i = 0; i < 100; i += 1) {
      const guest = run.acquire();
      run.clock.advance(1);
      if (guest.connection === bad) failed += 1;
      guest.ends(guest.connection === bad ? 'failed' : 'answered');
      run.clock.advance(1);
    }
    expect(failed).toBeLessThan(10);
  });

  it('is tried when only such are left', async () => {
    const [run, bad, good] = await restingRun({ minConnections: 1 });
    good.break();
    expect(run.acquire().connection).toBe(bad);
    const [leased, other] = await restingRun({ minConnections: 1 });
    expect(leased.lease().connection).not.toBe(other);
    expect(leased.acquire().connection).toBe(other);
  });

  it('makes room for another connection', async () => {
    const [run, , good] = await restingRun({ maxConnections: 3 });
    run.acquireAll(8);
    expect(run.network.trying.length).toBe(0);
    run.acquire();
    expect([good.inFlight, run.network.trying.length]).toEqual([9, 1]);
  });

  it('is trusted again by the answer to an older call, and takes those who wait', async () => {
    const [run, [bad, good]] = await runWith(2, { maxConnections: 2, maxStreamsPerConnection: 5 });
    const guests = run.acquireAll(10);
    const on = (connection: FakeConnection) => guests.filter(each => each.connection === connection);
    const waiting = run.acquireAll(2);
    on(good!)[0]!.ends('answered');
    expect(waiting[0]!.fate).toBe('served');
    const [a, b, c, d] = on(bad!);
    a!.ends('failed');
    run.acquireAll(9);
    run.clock.advance(1);
    on(good!)[1]!.ends('answered');
    for (const each of [b!, c!]) each.ends('failed');
    const before = run.waiting.length;
    d!.ends('answered');
    expect(run.waiting.length).toBeLessThan(before);
    expect(bad!.inFlight).toBe(5);
    // Nor is there a rest any more that could end.
    expect([run.clock.pending, run.wrongs]).toEqual([run.waiting.length, []]);
  });

  it('keeps no timer when it is gone', async () => {
    const [run, bad] = await restingRun({ minConnections: 0 });
    expect(run.clock.pending).toBe(1);
    run.clock.advance(500);
    bad.break();
    expect(run.clock.pending).toBe(0);
  });
});

describe('the state of a pool with a connection that is left alone', () => {
  const states = (run: PoolRun) => run.events.filter(event => event.includes('→')).slice(2);

  it('is degraded, and ready again when the connection works', async () => {
    const [run, bad] = await restingRun();
    expect([run.pool.state, states(run)]).toEqual(['degraded', ['ready → degraded']]);
    run.clock.advance(1_000);
    callOn(run, bad).ends('answered');
    expect([run.pool.state, states(run)]).toEqual(['ready', ['ready → degraded', 'degraded → ready']]);
  });

  it('is what it tells of, whatever becomes of the connection', async () => {
    const [run, bad] = await restingRun();
    for (let i = 0; i < 3; i += 1) {
      run.clock.advance(run.clock.nextInMs!);
      expect(states(run).at(-1)).toMatch(`→ ${run.pool.state}`);
      callOn(run, bad).ends('failed');
      expect(states(run).at(-1)).toMatch(`→ ${run.pool.state}`);
    }
    bad.break();
    await run.connected();
    expect(states(run).at(-1)).toMatch(/→ ready$/);
  });

  it('is ready with the answer to an older call', async () => {
    const [run, [bad, good]] = await runWith(2, { maxConnections: 2 });
    const on = (connection: FakeConnection) => run.guests.filter(each => each.connection === connection);
    run.acquireAll(8);
    const [first, second, third, older] = on(bad!);
    first!.ends('failed');
    run.clock.advance(1);
    on(good!)[0]!.ends('answered');
    for (const guest of [second!, third!]) guest.ends('failed');
    expect(run.pool.state).toBe('degraded');
    older!.ends('answered');
    expect([run.pool.state, states(run).at(-1)]).toEqual(['ready', 'degraded → ready']);
  });

  it('is ready where no other works: all are tried', async () => {
    const [run, , good] = await restingRun({ minConnections: 1 });
    good.break();
    expect([run.pool.state, states(run).at(-1)]).toEqual(['ready', 'degraded → ready']);
  });
});

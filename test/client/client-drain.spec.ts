import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ClientDrain, type DrainedClient } from '../../lib/client/client-drain.js';
import type { HeldLease } from '../../lib/telemetry/leases.js';

const held: HeldLease = { client: 'search', ageMs: 70, stack: '    at handler (app.ts:1:1)' };

/** What a drain did, in its order, and what there is to end. */
interface Run {
  did: string[];
  calls: string[];
  leases: HeldLease[];
  drain: ClientDrain;
  client: DrainedClient;
  /** What is to throw instead. */
  broken?: string;
}

let run: Run;

beforeEach(() => {
  jest.useFakeTimers();
  run = { did: [], calls: [], leases: [] } as unknown as Run;
  const does = (what: string) => {
    if (run.broken === what.split(' ')[0]) throw new Error(`${run.broken} is broken`);
    run.did.push(what);
  };
  run.client = {
    name: 'search',
    calls: {
      get none() {
        return run.calls.length === 0;
      },
      get count() {
        return run.calls.length;
      },
      describe: (most: number) => run.calls.slice(0, most).map(method => ({ method, ageMs: 70 })),
      cancelUnattended: () => does('cancelUnattended'),
      cancelAll: () => {
        does('cancelAll');
        run.calls = [];
      },
    },
    leases: {
      get size() {
        return run.leases.length;
      },
      releaseAll: () => {
        does('releaseAll');
        run.leases = [];
      },
    },
    leaks: { held: () => [...run.leases] },
    claim: {
      leave: () => does('leave'),
      release: async (limitMs: number) => {
        if (run.broken !== 'release') run.did.push(`release ${limitMs}`);
        else if (limitMs > 0) throw new Error('release is broken');
      },
    },
    log: {
      draining: (...what: unknown[]) => does(`draining ${what.join(' ')}`),
      drainPhase: (phase: number) => does(`phase ${phase}`),
      drainLimit: (cancelled: { method: string }[], count: number, leases: HeldLease[]) =>
        does(`limit ${cancelled.map(({ method }) => method)} ${count} ${leases.length}`),
      drained: ({ outcome }: { outcome: string }) => does(`drained ${outcome}`),
    },
    cancelledError: () => new Error('cancelled'),
    closeTimers: () => does('closeTimers'),
    stateChanged: (from: string, to: string) => does(`state ${from} → ${to}`),
  } as unknown as DrainedClient;
  run.drain = new ClientDrain(run.client);
});

afterEach(() => void jest.useRealTimers());

const start = (limitMs = 1_000) => run.drain.run('ready', limitMs);

/** A call or lease ends by itself. */
function ends(list: unknown[]): void {
  list.pop();
  run.drain.ended();
}

describe('the drain of a client', () => {
  it('goes through its phases in order', async () => {
    const report = await start();
    expect(run.did).toEqual([
      'cancelUnattended',
      'draining ready 0 0 1000',
      'state ready → draining',
      'leave',
      'cancelAll',
      'releaseAll',
      'closeTimers',
      'phase 5',
      'release 2000',
      'drained clean',
      'state draining → closed',
    ]);
    expect(report).toEqual({
      client: 'search',
      outcome: 'clean',
      finishedCalls: 0,
      cancelledCalls: 0,
      cancelled: [],
      heldLeases: 0,
      leases: [],
      durationMs: 0,
    });
    expect(Object.isFrozen(report)).toBe(true);
  });

  it('lets idle connections close before it waits for calls and leases', async () => {
    run.calls = ['search', 'insert'];
    run.leases = [held];
    const report = start();
    expect(run.did.slice(1)).toEqual([
      'draining ready 2 1 1000',
      'state ready → draining',
      'leave',
      'phase 2',
    ]);
    await jest.advanceTimersByTimeAsync(400);
    ends(run.calls);
    ends(run.calls);
    await jest.advanceTimersByTimeAsync(100);
    expect(run.did).toHaveLength(5);
    ends(run.leases);
    expect(await report).toMatchObject({ outcome: 'clean', finishedCalls: 2, durationMs: 500 });
    expect(jest.getTimerCount()).toBe(0);
    expect(run.did).not.toContain('phase 4');
  });

  it('names what is left at the limit, cancels it, and cuts the connections off', async () => {
    run.calls = ['search', 'insert', 'query'];
    run.leases = [held];
    const report = start();
    ends(run.calls);
    await jest.advanceTimersByTimeAsync(999);
    expect(run.did.at(-1)).toBe('phase 2');
    await jest.advanceTimersByTimeAsync(1);
    expect(await report).toEqual({
      client: 'search',
      outcome: 'timedOut',
      finishedCalls: 1,
      cancelledCalls: 2,
      cancelled: [
        { method: 'search', ageMs: 70 },
        { method: 'insert', ageMs: 70 },
      ],
      heldLeases: 1,
      leases: [held],
      durationMs: 1_000,
    });
    expect(run.did.slice(5)).toEqual([
      'limit search,insert 2 1',
      'phase 4',
      'cancelAll',
      'releaseAll',
      'closeTimers',
      'phase 5',
      'release 0',
      'drained timedOut',
      'state draining → closed',
    ]);
  });

  it('has timed out for a lease alone, whose connection may take its time to close', async () => {
    run.leases = [held];
    const report = start();
    await jest.advanceTimersByTimeAsync(1_000);
    expect(await report).toMatchObject({ outcome: 'timedOut', cancelledCalls: 0, heldLeases: 1 });
    expect(run.did).toContain('release 2000');
  });

  it('does not wait at all with a limit of 0', async () => {
    run.calls = ['search'];
    const report = start(0);
    await jest.advanceTimersByTimeAsync(0);
    expect(await report).toMatchObject({ outcome: 'timedOut', durationMs: 0, cancelledCalls: 1 });
  });

  it('ends sooner when it is to hurry, and never later', async () => {
    run.calls = ['search'];
    run.drain.hurry(1);
    const report = start();
    await jest.advanceTimersByTimeAsync(500);
    run.drain.hurry(5_000);
    run.drain.hurry(300);
    run.drain.hurry(400);
    await jest.advanceTimersByTimeAsync(299);
    expect(run.did.at(-1)).toBe('phase 2');
    await jest.advanceTimersByTimeAsync(1);
    expect(await report).toMatchObject({ outcome: 'timedOut', durationMs: 800, cancelledCalls: 1 });
    run.drain.hurry(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('leaves no timer of a limit that was shortened, when all ends before it', async () => {
    run.calls = ['search'];
    const report = start();
    run.drain.hurry(300);
    ends(run.calls);
    expect(await report).toMatchObject({ outcome: 'clean', durationMs: 0 });
    run.drain.hurry(100);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('names 20 calls at most, and counts all', async () => {
    run.calls = Array.from({ length: 50 }, (_, index) => `m${index}`);
    const report = start();
    await jest.advanceTimersByTimeAsync(1_000);
    const { cancelled, cancelledCalls } = await report;
    expect([cancelled.length, cancelledCalls]).toEqual([20, 50]);
  });

  it.each(['cancelUnattended', 'draining', 'leave', 'phase', 'cancelAll', 'releaseAll', 'closeTimers'])(
    'never rejects, and gives up its connections, when %s throws',
    async broken => {
      run.broken = broken;
      const report = await start();
      expect(report).toMatchObject({ client: 'search', outcome: 'failed', error: `${broken} is broken` });
      expect(run.did.filter(what => what.startsWith('release '))).toEqual(['release 0']);
      expect(run.did.slice(-2)).toEqual(['drained failed', 'state draining → closed']);
    },
  );

  it('never rejects either when it is the closing of connections that fails', async () => {
    run.broken = 'release';
    expect(await start()).toMatchObject({ outcome: 'failed', error: 'release is broken' });
  });

  it('leaves no call behind that waits when a phase throws', async () => {
    run.calls = ['search'];
    run.broken = 'leave';
    expect(await start()).toMatchObject({ outcome: 'failed' });
    expect(run.calls).toEqual([]);
  });
});

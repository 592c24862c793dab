import { describe, expect, it } from '@jest/globals';
import { healthy, ill, ProberRun, started } from './prober-run.js';

describe('the prober of a server that works', () => {
  it('asks at its pace from its start on, with its limit, and tells what it learns', async () => {
    const run = new ProberRun();
    await run.clock.advanceAsync(60_000);
    expect([run.pauses, run.clock.pending]).toEqual([[], 0]);
    run.prober.start();
    await run.clock.advanceAsync(5_000);
    run.prober.start();
    await run.clock.advanceAsync(4_999);
    expect(run.pauses).toEqual([]);
    await run.clock.advanceAsync(20_001);
    expect([run.pauses.slice(1), run.limits]).toEqual([
      [10_000, 10_000],
      [2_000, 2_000, 2_000],
    ]);
    const at = run.startedAt + 60_000;
    expect(run.learned).toEqual([10_000, 20_000, 30_000].map(ms => [healthy, at + ms]));
  });

  it.each([
    [0, 9_000],
    [0.25, 9_500],
    [1, 11_000],
  ])('does so within a tenth of its interval, as chance (%d) has it: %i ms', async (random, pauseMs) => {
    const run = new ProberRun();
    run.random = random;
    run.prober.start();
    expect(await run.nexts(3)).toEqual([pauseMs, pauseMs, pauseMs]);
  });

  it('does not keep the process from exiting', () => {
    expect(started().clock).toMatchObject({ pending: 1, keepingAlive: 0 });
  });

  it('asks nobody while there is no connection and nobody needs one', async () => {
    const run = started();
    run.idle = true;
    await run.clock.advanceAsync(60_000);
    expect([run.pauses, run.clock.pending]).toEqual([[], 1]);
    run.idle = false;
    await run.clock.advanceAsync(10_000);
    expect(run.pauses).toHaveLength(1);
  });
});

describe('the prober of a server that is being tried', () => {
  it('asks again soon while its word decides something, though the last one was good', async () => {
    const run = started();
    run.random = 1;
    run.unsure = true;
    expect(await run.nexts(2)).toEqual([10_000, 500]);
    run.unsure = false;
    expect((await run.nexts(2))[1]).toBe(11_000);
  });
});

describe('the prober of a server that is away', () => {
  const away = () => {
    const run = started();
    run.condition = ill;
    return run;
  };

  it('asks at least twice a second while somebody wants it', async () => {
    const run = away();
    run.wanted = true;
    run.random = 1;
    expect(await run.nexts(6)).toEqual([10_000, 100, 200, 400, 500, 500]);
    run.random = 0;
    expect(await run.nexts(3)).toEqual([500, 250, 250]);
    expect(run.learned.map(([condition]) => condition)).toEqual(Array(9).fill(ill));
  });

  it('asks ever less often while nobody does, down to its interval', async () => {
    const run = away();
    run.random = 1;
    const pauses = await run.nexts(11);
    expect(pauses.slice(1)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000, 10_000]);
    run.wanted = true;
    expect((await run.nexts(2))[1]).toBe(500);
  });

  it('asks no less often than its interval', async () => {
    const run = started({ intervalMs: 70, timeoutMs: 10 });
    run.condition = ill;
    run.wanted = true;
    run.random = 1;
    expect((await run.nexts(4)).slice(1)).toEqual([70, 70, 70]);
  });

  it('is back at its pace with the first good answer, and begins anew with the next bad one', async () => {
    const run = away();
    run.wanted = true;
    await run.nexts(4);
    run.condition = healthy;
    await run.next();
    run.condition = ill;
    run.random = 0.5;
    expect(await run.nexts(2)).toEqual([10_000, 75]);
  });

  it('goes on as it was where nothing was learned', async () => {
    const run = away();
    run.wanted = true;
    run.random = 1;
    await run.nexts(3);
    run.condition = undefined;
    expect(await run.nexts(2)).toEqual([400, 400]);
    expect(run.learned).toHaveLength(3);
  });
});

describe('hurry()', () => {
  it('has the server asked soon, once, however many hurry', async () => {
    const run = started();
    await run.clock.advanceAsync(1_000);
    for (let i = 0; i < 100; i += 1) run.prober.hurry();
    expect([run.clock.pending, run.clock.nextInMs]).toEqual([1, 375]);
    await run.clock.advanceAsync(50);
    run.prober.hurry();
    expect(run.clock.nextInMs).toBe(325);
    await run.next();
    // It answers: all is well.
    expect(run.clock.nextInMs).toBe(10_000);
  });

  it.each([
    [0, 250],
    [1, 500],
  ])(
    'does not press one that has just said that it is well, as chance (%d) has it: %i ms',
    async (...row) => {
      const [random, pauseMs] = row;
      const run = started();
      run.random = random;
      for (let i = 0; i < 3; i += 1) {
        run.prober.hurry();
        expect(await run.next()).toBe(pauseMs);
      }
    },
  );

  it('never puts off what is due within half a second', async () => {
    const run = started();
    run.random = 1;
    await run.clock.advanceAsync(9_500);
    run.prober.hurry();
    expect(run.clock.nextInMs).toBe(500);
    const early = started();
    await early.clock.advanceAsync(9_499);
    early.prober.hurry();
    expect(early.clock.nextInMs).toBe(375);
  });

  it('brings forward what was put off while nobody wanted it, but no further than it had come', async () => {
    const run = started();
    run.condition = ill;
    run.random = 1;
    await run.nexts(9);
    expect(run.clock.nextInMs).toBe(10_000);
    run.prober.hurry();
    expect(run.clock.nextInMs).toBe(500);
  });

  it('asks again soon where the answer is bad', async () => {
    const run = started();
    run.condition = ill;
    run.wanted = true;
    run.prober.hurry();
    expect(await run.nexts(3)).toEqual([375, 75, 150]);
  });

  it('is nothing before the start, while it asks, and after the end', async () => {
    const run = new ProberRun();
    run.prober.hurry();
    expect(run.clock.pending).toBe(0);
    run.prober.start();
    run.condition = 'hangs';
    await run.next();
    run.prober.hurry();
    expect([run.clock.pending, run.pauses.length]).toEqual([0, 1]);
    run.prober.stop();
    run.prober.hurry();
    expect(run.clock.pending).toBe(0);
  });
});

describe('a question that takes long', () => {
  it('is the only one', async () => {
    const run = started();
    run.condition = 'hangs';
    await run.next();
    await run.clock.advanceAsync(100_000);
    expect([run.pauses.length, run.clock.pending]).toEqual([1, 0]);
    run.answer(ill);
    await run.clock.advanceAsync(0);
    expect(run.learned).toEqual([[ill, run.startedAt + 10_000]]);
    expect(run.clock.nextInMs).toBe(75);
  });

  it('says nothing any more after the end', async () => {
    const run = started();
    run.condition = 'hangs';
    await run.next();
    run.prober.stop();
    run.answer(healthy);
    await run.clock.advanceAsync(100_000);
    expect([run.learned, run.pauses.length, run.clock.pending]).toEqual([[], 1, 0]);
  });
});

describe('stop()', () => {
  it('leaves nothing behind, and nobody starts it again', async () => {
    const run = started();
    run.prober.stop();
    expect(run.clock.pending).toBe(0);
    run.prober.start();
    const unstarted = new ProberRun();
    unstarted.prober.stop();
    unstarted.prober.start();
    await unstarted.clock.advanceAsync(60_000);
    expect([run.clock.pending, unstarted.clock.pending, unstarted.pauses]).toEqual([0, 0, []]);
  });
});

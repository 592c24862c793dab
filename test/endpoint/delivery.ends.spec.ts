import { describe, expect, it } from '@jest/globals';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import { answered, failed } from './attempts.js';
import { DeliveryRun, type RunOptions } from './delivery-run.js';

const begun = (options?: RunOptions) => new DeliveryRun(options).begin();

const broke = failed({ origin: 'transport' });
const goaway = failed({ origin: 'transport', processed: 'no' });

describe('a delivery that is cancelled', () => {
  const expectCancelled = async (run: DeliveryRun) => {
    run.ended = true;
    run.delivery.cancel();
    await run.clock.advanceAsync(60_000);

    expect(run.error).toMatchObject({ code: 1, failure: { at: 'call' } });
    expect([run.forgotten, run.clock.pending]).toEqual([1, 0]);
    expect(run.settledAfterMs).toBeLessThan(60_000);
  };

  it('leaves the line', async () => {
    const run = new DeliveryRun();
    run.pool.room = false;
    await expectCancelled(run.begin());

    expect([run.pool.waiting, run.pool.attempts]).toEqual([[], []]);
  });

  it('leaves its pause, and is not sent any more', async () => {
    const run = begun({ rpc: 'LoadCollection' });
    await run.end(broke);
    await expectCancelled(run);

    expect(run.pool.asked).toHaveLength(1);
    expect(run.figures.snapshot().unknownOutcomes).toBe(1);
  });

  it('ends its attempt, and settles with that', async () => {
    const run = begun({ rpc: 'Insert' });
    run.ended = true;
    run.delivery.cancel();
    await run.clock.advanceAsync(0);
    expect([run.pool.attempt.cancelled, run.settled, run.delivery.uncertain]).toEqual([1, false, true]);
    await run.end(failed({ origin: 'caller', code: 1 }));

    expect(run.error).toMatchObject({ code: 1, failure: { at: 'wire' } });
    expect(run.figures.snapshot().unknownOutcomes).toBe(1);
    expect([run.forgotten, run.clock.pending]).toEqual([1, 0]);
  });

  it.each([
    ['a broken connection', broke],
    ['one that takes no more', goaway],
    ['a refusal that passes', answered({ status: { code: 2 } })],
  ])('is not sent again when its attempt ends at that moment: %s', async (_what, outcome) => {
    const run = begun();
    run.pool.attempt.end(outcome);
    run.pool.member.connection.open = false;
    // The call that it is a part of may still go on: its execute() has ended.
    run.delivery.cancel();
    await run.clock.advanceAsync(60_000);

    expect(run.pool.asked).toHaveLength(1);
    expect([run.settled, run.forgotten, run.clock.pending]).toEqual([true, 1, 0]);
  });

  it('still gives an answer that came at that moment', async () => {
    const run = begun();
    run.pool.attempt.end(answered({ results: [] }));
    run.delivery.cancel();
    await run.clock.advanceAsync(0);

    expect(run.answer).toEqual({ results: [] });
    expect(run.forgotten).toBe(1);
  });
});

describe('a delivery whose connection takes no more calls', () => {
  const begunOnClosing = (options?: RunOptions) => {
    const run = begun(options);
    run.pool.member.connection.open = false;
    return run;
  };

  it.each([
    ['a read', {}],
    ['a write', { rpc: 'Insert' }],
    ['one that may not be retried', { rpc: 'Insert', retry: false as const }],
  ])('takes its place in the line again at once where it was not looked at: %s', async (_what, options) => {
    const run = begunOnClosing(options);
    await run.end(goaway);

    expect(run.pool.asked.map(({ ticket }) => ticket)).toEqual([undefined, 1]);
    expect(run.pool.asked[1]!.avoid).toBe(run.pool.member);
    expect([run.pauses, run.clock.pending, run.delivery.sends]).toEqual([[], 0, 2]);
    await run.end(answered({ fine: true }));
    expect(run.answer).toEqual({ fine: true });
    expect(run.figures.snapshot()).toMatchObject({ rpcs: 1, attempts: 2, unknownOutcomes: 0 });
  });

  it('does so once: the next time the policy decides', async () => {
    const run = begunOnClosing();
    await run.end(goaway);
    await run.end(goaway);
    expect(run.pauses).toEqual([['Search', 2, 50, 'gone']]);

    const without = begunOnClosing({ retry: false });
    await without.end(goaway);
    await without.end(goaway);
    expect(without.error!.delivered).toMatchObject({ attempts: 2, uncertain: false });
    expect(without.forgotten).toBe(1);
  });

  it('keeps all its attempts for it', async () => {
    const run = begunOnClosing();
    await run.end(goaway);
    for (const pauseMs of [50, 100]) {
      await run.end(broke);
      await run.clock.advanceAsync(pauseMs);
    }
    await run.end(broke);

    expect(run.error!.delivered).toMatchObject({ attempts: 4, stoppedBy: 'attempts' });
  });

  it('leaves it to the policy where it may have been executed, or where the connection is fine', async () => {
    const lost = begunOnClosing({ retry: false });
    await lost.end(broke);
    const open = begun({ retry: false });
    await open.end(goaway);

    for (const run of [lost, open]) expect([run.settled, run.pool.asked.length]).toEqual([true, 1]);
  });

  it('fails at once with what could not be sent at all', async () => {
    const run = begunOnClosing();
    await run.end(failed({ origin: 'caller', code: 3, processed: 'no' }));

    expect(run.error).toMatchObject({ code: 3 });
    expect(run.pool.asked).toHaveLength(1);
  });
});

describe('a delivery whose turn comes late', () => {
  it.each([
    [1, 1],
    [0.9, 0],
  ])('is sent only while there is time to tell the server: %d ms', async (leftMs, attempts) => {
    const run = new DeliveryRun({ deadlineMs: 100 });
    run.pool.room = false;
    run.begin();
    run.clock.advance(100 - leftMs);
    run.pool.give();
    await run.clock.advanceAsync(0);

    expect(run.pool.attempts).toHaveLength(attempts);
    if (attempts === 0) {
      expect(run.error).toMatchObject({ code: 4, failure: { at: 'line' } });
      expect([run.figures.snapshot().rpcs, run.forgotten]).toEqual([0, 1]);
    }
  });

  it.each([
    [10, 2],
    [9, 1],
  ])('is sent again only while there is time for an answer: %i ms', async (leftMs, attempts) => {
    const run = begun({ deadlineMs: 200 });
    await run.end(broke);
    run.pool.room = false;
    await run.clock.advanceAsync(200 - leftMs);
    run.pool.give();
    await run.clock.advanceAsync(0);

    expect(run.pool.attempts).toHaveLength(attempts);
    if (attempts === 1) {
      expect(run.error).toMatchObject({ failure: { at: 'wire' } });
      expect(run.error!.delivered).toMatchObject({ attempts: 1, stoppedBy: 'time' });
    }
  });
});

describe('a delivery over a lease', () => {
  const leased = async (open: boolean) => {
    const run = begun({ leased: true });
    run.lease.member.connection.open = open;
    run.lease.attempt.end(broke);
    await run.clock.advanceAsync(0);
    return run;
  };

  it('is sent again over the same connection', async () => {
    const run = await leased(true);
    await run.clock.advanceAsync(50);
    expect([run.lease.attempts.length, run.pool.attempts.length]).toEqual([2, 0]);
  });

  it('is not, where that is gone: there is no other for it', async () => {
    const run = await leased(false);
    expect([run.pauses, run.settled]).toEqual([[], true]);
  });
});

describe('a delivery within a run that is not the first', () => {
  it('is itself a retry in the budget, and pays for none', async () => {
    const budget = new RetryBudget({ ratio: 1, minPerSecond: 0.1 });
    const run = begun({ rerun: true, budget });
    await run.end(broke);

    expect(run.error!.delivered).toMatchObject({ attempts: 1, stoppedBy: 'budget' });
    expect(run.figures.snapshot()).toMatchObject({ rpcs: 1, attempts: 1 });
  });
});

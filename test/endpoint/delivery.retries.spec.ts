import { describe, expect, it } from '@jest/globals';
import { RpcError } from '../../lib/endpoint/rpc.js';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import { answered, failed } from './attempts.js';
import { DeliveryRun, policy, type RunOptions } from './delivery-run.js';

const begun = (options?: RunOptions) => new DeliveryRun(options).begin();

const fine = answered({ status: { code: 0 }, results: [1] });
const notReady = answered({ status: { code: 2, reason: 'not yet' } });
const rateLimited = answered({ status: { code: 8, error_code: 'RateLimit', reason: 'slow' } });
const lasting = answered({ status: { code: 5, reason: 'no' } });
const broke = failed({ origin: 'transport', message: 'it broke' });
const refused = failed({ origin: 'transport', processed: 'no', message: 'REFUSED_STREAM' });

/** Nothing is left of it. */
function expectOver(run: DeliveryRun): void {
  expect([run.settled, run.forgotten, run.clock.pending]).toEqual([true, 1, 0]);
  expect(run.pool.waiting).toEqual([]);
}

describe('a delivery that failed', () => {
  it('is sent again after a pause, as one who comes anew, over another connection', async () => {
    const run = begun();
    await run.end(broke);
    expect(run.pauses).toEqual([['Search', 1, 50, 'it broke']]);
    expect([run.delivery.unsent(), run.delivery.sends, run.delivery.uncertain]).toEqual([undefined, 1, true]);
    await run.clock.advanceAsync(49);
    expect(run.pool.attempts).toHaveLength(1);
    await run.clock.advanceAsync(1);

    const [first, second] = run.pool.asked;
    expect([first!.avoid, second!.avoid]).toEqual([undefined, run.pool.member]);
    expect([first!.ticket, second!.ticket]).toEqual([undefined, undefined]);
    expect(run.pool.attempt.request.timeoutMs).toBe(9_950);
    await run.end(notReady);
    expect(run.pauses[1]).toEqual(['Search', 2, 100, 'not yet']);
    await run.clock.advanceAsync(100);
    await run.end(fine);

    expect(run.answer).toMatchObject({ results: [1] });
    expect(run.pool.verdicts).toEqual(['failed', 'answered', 'answered']);
    expect(run.figures.snapshot()).toMatchObject({ rpcs: 1, attempts: 3, retries: 2, unknownOutcomes: 0 });
    expectOver(run);
  });

  it('fails with its last error when its attempts are used up', async () => {
    const run = begun();
    for (const pauseMs of [50, 100]) {
      await run.end(broke);
      await run.clock.advanceAsync(pauseMs);
    }
    await run.end({ ...broke, message: 'the last' });

    expect(run.error).toBeInstanceOf(RpcError);
    expect(run.error).toMatchObject({ rpc: 'Search', code: 14, details: 'the last' });
    expect(run.error!.failure).toMatchObject({ at: 'wire', authority: 'milvus:19530' });
    expect(run.error!.delivered).toEqual({
      attempts: 3,
      uncertain: true,
      writes: false,
      repeatable: true,
      hope: 'transient',
      stoppedBy: 'attempts',
    });
    expectOver(run);
  });

  it('gives the last refusal, and tells beside it what came of sending it', async () => {
    const run = begun();
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(lasting);

    expect(run.answer).toEqual({ status: { code: 5, reason: 'no' } });
    expect(run.rpc.delivered).toEqual({
      attempts: 2,
      uncertain: true,
      writes: false,
      repeatable: true,
      hope: 'none',
    });
    expectOver(run);
  });

  it('is not sent again where the budget has nothing left, and says so at once', async () => {
    const run = begun({ budget: new RetryBudget({ ratio: 0, minPerSecond: 0 }) });
    await run.end(broke);

    expect(run.error!.delivered).toMatchObject({ attempts: 1, stoppedBy: 'budget' });
    expect(run.figures.snapshot().budgetRefusals).toBe(1);
    expectOver(run);
  });

  it('pays into the budget once, however often it is sent', async () => {
    const run = begun({ budget: new RetryBudget({ ratio: 1, minPerSecond: 0 }) });
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(broke);

    expect(run.error!.delivered).toMatchObject({ attempts: 2, stoppedBy: 'budget' });
  });

  it.each([
    ['the deadline of its call', { deadlineMs: 100 }],
    ['its own limit', { timeoutMs: 100 }],
  ])('is not sent again past %s', async (_what, limit) => {
    const run = begun(limit);
    run.clock.advance(60);
    await run.end(broke);

    expect(run.error!.delivered).toMatchObject({ attempts: 1, stoppedBy: 'time' });
    expect(run.settledAfterMs).toBe(60);
    expectOver(run);
  });

  it('is not sent again where the last answer took longer than is left', async () => {
    const run = begun({ deadlineMs: 1_000 });
    run.clock.advance(480);
    await run.end(notReady);

    expect(run.rpc.delivered).toMatchObject({ attempts: 1, stoppedBy: 'time' });
  });

  it('has no answer whose time to go by where its connection broke', async () => {
    const run = begun({ deadlineMs: 1_000 });
    run.clock.advance(480);
    await run.end(broke);

    expect(run.pauses).toHaveLength(1);
  });

  it('is not sent again where nothing is, nor after the rate limit', async () => {
    for (const outcome of [broke, refused, notReady, rateLimited]) {
      const run = begun({ retry: false });
      await run.end(outcome);
      expectOver(run);
      expect(run.pauses).toEqual([]);
    }
  });

  it('is sent once where the policy is one attempt, but for the rate limit', async () => {
    const retry = { ...policy, maxAttempts: 1 };
    for (const outcome of [broke, refused, notReady]) {
      const run = begun({ retry });
      await run.end(outcome);
      expectOver(run);
    }
    const limited = begun({ retry });
    await limited.end(rateLimited);
    expect(limited.pauses).toHaveLength(1);
  });

  it.each([
    ['the error of its attempt', broke, { code: 14, failure: { at: 'wire' } }],
    ['the refusal', notReady, undefined],
  ])(
    'fails with %s when there is no connection for another one, and says that too',
    async (_what, first, error) => {
      const run = begun();
      await run.end(first);
      run.pool.room = false;
      await run.clock.advanceAsync(50);
      expect(run.delivery.unsent()).toBe(run.pool.why);
      run.pool.fail('unreachable');
      await run.clock.advanceAsync(0);

      if (error) expect(run.error).toMatchObject(error);
      else expect(run.answer).toMatchObject({ status: { code: 2 } });
      const delivered = run.error?.delivered ?? run.rpc.delivered;
      expect(delivered).toMatchObject({
        attempts: 1,
        hope: 'transient',
        noConnection: { reason: 'unreachable' },
      });
      expectOver(run);
    },
  );

  it('meets the rate limit at its own pace, as often as there is time', async () => {
    const run = begun({
      rpc: 'Insert',
      deadlineMs: 2_000,
      budget: new RetryBudget({ ratio: 0, minPerSecond: 0 }),
    });
    for (const pauseMs of [250, 500, 1_000]) {
      await run.end(rateLimited);
      await run.clock.advanceAsync(pauseMs);
    }
    expect(run.pauses).toEqual([250, 500, 1_000].map((ms, i) => ['Insert', i + 1, ms, 'slow']));
    await run.end(rateLimited);

    expect(run.answer).toMatchObject({ status: { code: 8 } });
    expect(run.rpc.delivered).toMatchObject({ attempts: 4, uncertain: false, stoppedBy: 'time' });
    expect(run.figures.snapshot()).toMatchObject({ budgetRefusals: 0, unknownOutcomes: 0 });
    expectOver(run);
  });
});

import { describe, expect, it } from '@jest/globals';
import { answered } from './attempts.js';
import { DeliveryRun, type RunOptions } from './delivery-run.js';

const begun = (options?: RunOptions) => new DeliveryRun(options).begin();

const fine = answered({ status: { code: 0 }, results: [1] });

/** Nothing is left of it. */
function expectOver(run: DeliveryRun): void {
  expect([run.settled, run.forgotten, run.clock.pending]).toEqual([true, 1, 0]);
  expect(run.pool.waiting).toEqual([]);
}

describe('a delivery', () => {
  it('is sent at once where there is room, and gives the answer', async () => {
    const run = begun({ timeoutMs: 700 });
    expect(run.pool.attempt.request).toEqual({
      path: '/Search',
      message: Buffer.from('message'),
      metadata: { dbname: 'books', id: '1', of: 'rpc' },
      timeoutMs: 700,
      graceMs: 0,
    });
    expect(run.known).toEqual([run.delivery]);
    expect([run.delivery.sends, run.delivery.uncertain, run.delivery.writes]).toEqual([1, true, false]);
    expect(run.delivery.unsent()).toBeUndefined();
    await run.end(fine);

    expect(run.answer).toEqual({ status: { code: 0 }, results: [1] });
    expect(run.pool.verdicts).toEqual(['answered']);
    expect(run.delivery.uncertain).toBe(false);
    expect(run.rpc.delivered).toBeUndefined();
    expectOver(run);
  });

  it('leaves it to its call to end it at the deadline of that', () => {
    const run = begun({ timeoutMs: 700, deadlineMs: 600 });
    const { timeoutMs, graceMs } = run.pool.attempt.request;
    expect([timeoutMs, graceMs! > 0]).toEqual([600, true]);
  });

  it('waits for room as long as there is time, and says why', async () => {
    const run = new DeliveryRun({ deadlineMs: 400 });
    run.pool.room = false;
    run.begin();
    expect([run.pool.asked[0]!.limitMs, run.delivery.sends, run.delivery.uncertain]).toEqual([400, 0, false]);
    expect(run.delivery.unsent()).toBe(run.pool.why);
    run.clock.advance(150);
    run.pool.give();

    expect(run.delivery.unsent()).toBeUndefined();
    expect(run.pool.attempt.request.timeoutMs).toBe(250);
  });

  it('goes over the connection of its lease, and over another when that is released', async () => {
    const run = new DeliveryRun({ leased: true });
    run.lease.room = false;
    run.begin();
    run.lease.fail('released');

    expect(run.pool.attempts).toHaveLength(1);
    // A place in one line is none in another.
    expect(run.pool.asked[0]!.ticket).toBeUndefined();
    await run.end(fine);
    expect([run.lease.verdicts, run.pool.verdicts]).toEqual([[], ['answered']]);
    expectOver(run);
  });

  it('fails where there is no room, and has not been sent', async () => {
    const run = new DeliveryRun();
    run.pool.room = false;
    run.begin();
    run.pool.fail('no-room');
    await run.clock.advanceAsync(0);

    expect(run.error).toMatchObject({ code: 8, failure: { at: 'pool' } });
    expect(run.figures.snapshot()).toMatchObject({ rpcs: 0, attempts: 0 });
    expectOver(run);
  });

  it('does not begin for a call that has ended', async () => {
    const run = new DeliveryRun();
    run.ended = true;
    run.begin();
    await run.clock.advanceAsync(0);

    expect(run.error).toMatchObject({ code: 1, failure: { at: 'call' } });
    expect([run.known, run.pool.asked, run.forgotten]).toEqual([[], [], 0]);
  });

  it('fails with an answer that cannot be read, and does not ask for it again', async () => {
    const run = begun();
    await run.end({ ok: true, message: Buffer.from('{') });

    expect(run.error).toMatchObject({ code: 13, failure: { at: 'answer' } });
    expect(run.error!.delivered).toMatchObject({ attempts: 1, uncertain: true });
    expect(run.error!.cause).toBeInstanceOf(SyntaxError);
    expectOver(run);
  });
});

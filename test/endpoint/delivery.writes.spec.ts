import { describe, expect, it } from '@jest/globals';
import { answered, failed } from './attempts.js';
import { DeliveryRun, type RunOptions } from './delivery-run.js';

const begun = (options?: RunOptions) => new DeliveryRun(options).begin();

const broke = failed({ origin: 'transport' });
const refused = failed({ origin: 'transport', processed: 'no' });
const notReady = answered({ status: { code: 2 } });
const moving = answered({ status: { code: 503 } });
const rateLimited = answered({ code: 8 });
const exists = answered({ code: 65_535, reason: 'database already exist: books' });

describe('a write that may be executed only once', () => {
  it.each([
    ['its answer is lost', broke, true, 'transient'],
    ['Milvus is not available', failed(), true, 'transient'],
    ['Milvus fails inside', failed({ code: 13 }), true, 'none'],
    ['Milvus is not ready', notReady, false, 'transient'],
    ["Milvus's own time was up", answered({ code: 10_001 }), true, 'none'],
  ])('is not sent again where %s', async (_what, outcome, uncertain, hope) => {
    const run = begun({ rpc: 'Insert' });
    await run.end(outcome);

    const delivered = run.error?.delivered ?? run.rpc.delivered;
    expect(delivered).toEqual({ attempts: 1, uncertain, writes: true, repeatable: false, hope });
    expect(run.figures.snapshot().unknownOutcomes).toBe(uncertain ? 1 : 0);
    expect([run.settled, run.forgotten, run.pauses]).toEqual([true, 1, []]);
  });

  it('is sent again where it is proven that it was not executed', async () => {
    const run = begun({ rpc: 'Insert' });
    await run.end(refused);
    await run.clock.advanceAsync(50);
    await run.end(answered({ status: { code: 0 } }));

    expect(run.answer).toEqual({ status: { code: 0 } });
    expect(run.figures.snapshot()).toMatchObject({ attempts: 2, unknownOutcomes: 0 });
  });

  it.each([
    ['keys', { ids: [1], expr: 'id in [1]' }, 2, false],
    ['filter', { filter: 'id > 1', expr: 'id > 1' }, 1, true],
  ])('meets the rate limit by what it deletes by: %s', async (_what, request, attempts, uncertain) => {
    const run = begun({ rpc: 'Delete', request });
    await run.end(rateLimited);
    await run.clock.advanceAsync(250);
    expect([run.pool.attempts.length, run.settled, run.delivery.uncertain]).toEqual([
      attempts,
      attempts === 1,
      uncertain || attempts > 1,
    ]);
  });

  it('is sent again like what reads where its caller knows better', async () => {
    const run = begun({ rpc: 'Insert', idempotent: true });
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(moving);
    await run.clock.advanceAsync(100);
    await run.end(broke);

    expect(run.error!.delivered).toEqual({
      attempts: 3,
      uncertain: true,
      writes: true,
      repeatable: true,
      hope: 'transient',
      stoppedBy: 'attempts',
    });
    expect(run.figures.snapshot().unknownOutcomes).toBe(1);
  });

  it('is one where a request drops, though its RPC may be repeated', async () => {
    const drop = begun({ rpc: 'AlterCollectionSchema', request: { action: { drop_request: {} } } });
    await drop.end(broke);
    const add = begun({ rpc: 'AlterCollectionSchema', request: { action: { add_request: {} } } });
    await add.end(broke);

    expect([drop.settled, add.settled]).toEqual([true, false]);
    expect(drop.error!.delivered).toMatchObject({ repeatable: false });
  });
});

describe('a write that may be repeated', () => {
  it('is sent again although it may have been executed', async () => {
    const run = begun({ rpc: 'LoadCollection' });
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(answered({ code: 0 }));

    expect(run.answer).toEqual({ code: 0 });
    expect(run.figures.snapshot().unknownOutcomes).toBe(0);
  });

  it('is not sent again for what passes only for reads', async () => {
    const run = begun({ rpc: 'LoadCollection' });
    await run.end(moving);
    expect(run.answer).toEqual({ status: { code: 503 } });
  });

  it('counts as one that nobody knows of where it is given up', async () => {
    const run = begun({ rpc: 'LoadCollection', deadlineMs: 100 });
    run.clock.advance(60);
    await run.end(broke);

    expect(run.error!.delivered).toMatchObject({ uncertain: true, writes: true, repeatable: true });
    expect(run.figures.snapshot().unknownOutcomes).toBe(1);
  });
});

describe('the answer that it exists already', () => {
  const after = async (rpc: string, first: typeof broke) => {
    const run = begun({ rpc });
    await run.end(first);
    await run.clock.advanceAsync(50);
    await run.end(exists);
    return run;
  };

  it('is success after an attempt that may have made it', async () => {
    const run = new DeliveryRun({ rpc: 'CreateDatabase' });
    const success = { code: 0, error_code: 'Success' };
    run.rpc.method.deserialize = message => (message.length === 0 ? success : JSON.parse(String(message)));
    run.begin();
    await run.end(broke);
    await run.clock.advanceAsync(50);
    await run.end(exists);

    expect(run.answer).toBe(success);
    expect(run.rpc.delivered).toBeUndefined();
    expect(run.figures.snapshot().unknownOutcomes).toBe(0);
    expect([run.forgotten, run.clock.pending]).toEqual([1, 0]);
  });

  it('is a refusal where no attempt can have made it', async () => {
    const first = begun({ rpc: 'CreateDatabase' });
    await first.end(exists);
    const unsent = await after('CreateDatabase', refused);

    for (const run of [first, unsent]) expect(run.answer).toMatchObject({ code: 65_535 });
  });

  it('is a refusal of what does not make anything', async () => {
    const run = await after('CreateCollection', broke);
    expect(run.answer).toMatchObject({ code: 65_535 });
    expect(run.rpc.delivered).toMatchObject({ attempts: 2, uncertain: true });
  });
});

import { getEventListeners } from 'node:events';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Call } from '../../lib/client/call.js';
import type { CallOwner } from '../../lib/client/call-request.js';
import { RpcError, type RpcUnderWay } from '../../lib/endpoint/rpc.js';
import { MilvusAbortedError, MilvusClosedError, MilvusDeadlineExceededError } from '../../lib/index.js';
import { PoolFailure } from '../../lib/pool/pool-failure.js';
import { DeadlineTimers } from '../../lib/resilience/deadline-timers.js';
import { FakeClock } from '../support/fake-clock.js';
import { gate } from '../support/pooled-client.js';

const tooLate = new MilvusDeadlineExceededError('too late', { client: 'c' });
const closed = new MilvusClosedError('closed', { client: 'c' });
const aborted = new MilvusAbortedError('aborted', { client: 'c' });
const noRoom = new PoolFailure('no-room', {
  size: 1,
  maxConnections: 1,
  inFlight: 1,
  pending: 1,
  leases: 0,
  maxLeases: 5,
});
const never = new Promise<never>(() => {});

let clock: FakeClock;
let call: Call;
let waitedFor: PoolFailure | undefined;
let over: Call[];
let swallowed: Error | undefined;
let abortReasons: unknown[];
let controller: AbortController;

beforeEach(() => {
  clock = new FakeClock();
  over = [];
  swallowed = undefined;
  abortReasons = [];
  controller = new AbortController();
  const owner: CallOwner = {
    timers: new DeadlineTimers([], clock),
    deadlineError: (_call, unsent) => {
      waitedFor = unsent;
      return tooLate;
    },
    abortedError: (_call, reason) => {
      abortReasons.push(reason);
      return aborted;
    },
    swallowedError: () => swallowed,
    toError: (_call, thrown) => ({ converted: thrown }),
    authorization: {},
    retrying: () => {},
    callEnded: each => over.push(each),
  };
  call = new Call(
    {
      method: 'search',
      limit: { timeoutMs: 100, setBy: '`timeouts.readMs`' },
      metadata: { dbname: 'books' },
      scope: { errors: 'throw', retry: false, signals: [controller.signal] },
    },
    owner,
    clock,
  );
});

/** An RPC under way; it waits for a connection if it is given a reason. */
function rpc(cancel: () => void, unsent?: PoolFailure): RpcUnderWay {
  const sent = unsent === undefined;
  return { cancel, unsent: () => unsent, sends: sent ? 1 : 0, uncertain: sent, writes: false };
}

/** One that was sent, or may be on the wire. */
function sent(more: Partial<RpcUnderWay> = {}): RpcUnderWay {
  return { ...rpc(() => {}), ...more };
}

const read = (name: string) => ({ name, repeatability: 'read' as const });
const write = (name: string) => ({ name, repeatability: 'once' as const });

describe('a call', () => {
  const expectOver = () => {
    expect(call.ended).toBe(true);
    expect(over).toEqual([call]);
    expect(clock.pending).toBe(0);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  };

  it('gives what its work gives, and needs timer and signal no more', async () => {
    await expect(call.follow(Promise.resolve(1))).resolves.toBe(1);
    expectOver();
  });

  it('fails as its work fails, converted, and needs timer and signal no more', async () => {
    const error = new Error('work');
    await expect(call.follow(Promise.reject(error))).rejects.toEqual({ converted: error });
    expectOver();
  });

  it('ends when a signal aborts', async () => {
    const outcome = call.follow(never);
    controller.abort('enough');

    await expect(outcome).rejects.toBe(aborted);
    expect(abortReasons).toEqual(['enough']);
    expectOver();
  });

  it('ends when it is ended before its work is followed', async () => {
    call.end(closed);
    await expect(call.follow(never)).rejects.toBe(closed);
    expectOver();
  });

  it('fails when the SDK swallowed a failure', async () => {
    swallowed = new Error('refused');
    call.answered(write('DropRole'), { code: 5, error_code: 'UnexpectedError' });

    await expect(call.follow(Promise.resolve('all well'))).rejects.toBe(swallowed);
    expectOver();
  });

  it('ends at its deadline, and not before', async () => {
    const outcome = call.follow(never);
    clock.advance(99);
    expect(call.ended).toBe(false);
    expect(call.deadline.remainingMs()).toBe(1);
    clock.advance(1);

    await expect(outcome).rejects.toBe(tooLate);
    expect(call.ended).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('ends at its deadline while the SDK sleeps, and ignores what it does later', async () => {
    const { opened, open } = gate();
    const outcome = call.follow(opened.then(() => 'late'));
    clock.advance(100);
    open();

    await expect(outcome).rejects.toBe(tooLate);
  });

  it('takes a late failure of its work in silence', async () => {
    const { opened, open } = gate();
    const outcome = call.follow(
      opened.then(() => {
        throw new Error('late');
      }),
    );
    clock.advance(100);
    await expect(outcome).rejects.toBe(tooLate);
    open();
    // An unhandled rejection would fail this test.
    await new Promise(resolve => setImmediate(resolve));
  });

  it('cancels its RPCs when it is ended', async () => {
    const cancelled: string[] = [];
    call.begin(rpc(() => cancelled.push('first')));
    const forget = call.begin(rpc(() => cancelled.push('done before')));
    call.begin(rpc(() => cancelled.push('second')));
    forget(false);
    const outcome = call.follow(never);
    call.end(closed);

    await expect(outcome).rejects.toBe(closed);
    expect(cancelled).toEqual(['first', 'second']);
  });

  it('is over for the RPCs by the time they are cancelled', () => {
    let ended = false;
    call.begin(
      rpc(() => {
        ended = call.ended;
      }),
    );
    call.end(closed);

    expect(ended).toBe(true);
  });

  it('ends once: the first reason stays', async () => {
    const outcome = call.follow(never);
    call.end(closed);
    call.end(tooLate);
    clock.advance(100);

    await expect(outcome).rejects.toBe(closed);
  });

  it.each<[string, (PoolFailure | undefined)[], PoolFailure | undefined]>([
    ['that its RPC waited for a connection', [noRoom], noRoom],
    ['that all of them did', [noRoom, noRoom], noRoom],
    ['nothing of the kind when one was sent', [noRoom, undefined], undefined],
    ['nothing of the kind between two RPCs', [], undefined],
  ])('tells the error of its deadline %s', async (_what, rpcs, expected) => {
    for (const unsent of rpcs) call.begin(rpc(() => {}, unsent));
    const outcome = call.follow(never);
    clock.advance(100);

    await expect(outcome).rejects.toBe(tooLate);
    expect(waitedFor).toBe(expected);
  });

  it('cancels what the SDK left behind when it ends by itself, and nothing twice', async () => {
    let cancelled = 0;
    call.begin(
      rpc(() => {
        cancelled += 1;
      }),
    );
    await call.follow(Promise.resolve());
    call.end(closed);
    clock.advance(100);

    expect(cancelled).toBe(1);
  });

  it('knows that it was executed in part once an RPC was sent and is over', () => {
    const waiting = call.begin(rpc(() => {}, noRoom));
    expect([call.unsent(), call.executedInPart]).toEqual([noRoom, false]);
    waiting(false);
    expect([call.unsent(), call.executedInPart]).toEqual([undefined, false]);
    call.begin(sent())(false);
    call.begin(rpc(() => {}, noRoom));
    expect([call.unsent(), call.executedInPart]).toEqual([undefined, true]);
  });

  it.each<[string, Partial<RpcUnderWay>[], [number, boolean, boolean]]>([
    ['nothing', [], [0, false, false]],
    ['one that waits', [{ sends: 0, uncertain: false, writes: true }], [0, false, false]],
    ['a read on the wire', [{ sends: 1 }], [1, true, false]],
    ['a write on the wire', [{ sends: 1, writes: true }], [1, true, true]],
    [
      'a write that was refused and pauses',
      [{ sends: 2, uncertain: false, writes: true }],
      [2, false, false],
    ],
    ['several', [{ sends: 3 }, { sends: 1, uncertain: false, writes: true }], [3, true, false]],
  ])('knows what is under way: %s', (_what, rpcs, expected) => {
    for (const each of rpcs) call.begin(sent(each));
    expect([call.attempts, call.mayRun, call.outcomeUnknown]).toEqual(expected);
  });

  it('may have been executed once an RPC was sent and is over', () => {
    call.begin(sent({ uncertain: false, writes: true }))(false);
    expect([call.attempts, call.mayRun, call.outcomeUnknown]).toEqual([0, true, false]);
  });

  it('is of unknown outcome once a part of it was', () => {
    call.begin(sent({ writes: true }))(false);
    expect(call.outcomeUnknown).toBe(false);
    call.begin(sent({ writes: true }))(true);
    expect(call.outcomeUnknown).toBe(true);
  });

  it('keeps the failures of its RPCs in their order', () => {
    const broken = new RpcError('Search', 14, 'gone', { at: 'call' });
    call.answered(read('DescribeCollection'), { status: { code: 0, error_code: 'Success' } });
    const delivered = {
      attempts: 2,
      uncertain: false,
      writes: false,
      repeatable: true,
      hope: 'none',
    } as const;
    call.answered(read('Query'), { status: { code: 8, error_code: 'RateLimit' } }, delivered);
    call.failed(read('Search'), broken);

    expect(call.failures).toEqual([
      { rpc: 'Query', status: { code: 8, error_code: 'RateLimit' }, delivered },
      { rpc: 'Search', error: broken },
    ]);
  });

  it('forgets a schema mismatch of a write that was repeated with success, and nothing else', () => {
    call.answered(read('DescribeCollection'), { status: { code: 1 } });
    call.answered(write('Insert'), { status: { code: 109 } });
    call.answered(write('Insert'), { status: { code: 0 } });

    expect(call.failures).toEqual([{ rpc: 'DescribeCollection', status: { code: 1 } }]);
  });

  it.each<[string, (of: Call) => void, boolean]>([
    ['a read', of => of.answered(read('DescribeCollection'), {}), false],
    ['a write', of => of.answered(write('Insert'), {}), true],
    [
      'a change of the schema',
      of => of.answered({ name: 'CreateIndex', repeatability: 'repeatable' }, {}),
      true,
    ],
    ['a write that was refused', of => of.answered(write('Insert'), { status: { code: 5 } }), true],
    [
      'a write whose fate is not known',
      of => of.failed(write('Insert'), new RpcError('Insert', 13, '', { at: 'answer' })),
      true,
    ],
    [
      'a write that found no room',
      of => of.failed(write('Insert'), new RpcError('Insert', 8, '', { at: 'pool', pool: noRoom })),
      false,
    ],
  ])('knows whether it may have changed something: %s', (_what, happens, wrote) => {
    happens(call);
    expect(call.wrote).toBe(wrote);
  });

  it('knows when it gave up by itself', async () => {
    expect(call.gaveUp).toBe(false);
    clock.advance(99);
    expect(call.gaveUp).toBe(true);
  });

  it('knows that its client ended it', () => {
    call.end(closed);
    expect(call.gaveUp).toBe(true);
  });
});

describe('what a call says of its RPCs', () => {
  it('is its policy, and whether they may be repeated', () => {
    const retry = {
      maxAttempts: 2,
      initialDelayMs: 1,
      maxDelayMs: 2,
      multiplier: 2,
      jitter: 'none',
    } as const;
    const of = (scope: Partial<Call['request']['scope']>) =>
      new Call({ ...call.request, scope: { ...call.request.scope, ...scope } }, call['owner'], clock);

    expect([of({}).retry, of({ retry }).retry]).toEqual([false, retry]);
    expect([of({}).idempotent, of({ idempotent: true }).idempotent]).toEqual([false, true]);
  });
});

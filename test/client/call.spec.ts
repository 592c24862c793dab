import { beforeEach, describe, expect, it } from '@jest/globals';
import { Call } from '../../lib/client/call.js';
import type { RpcUnderWay } from '../../lib/endpoint/rpc.js';
import { MilvusClosedError, MilvusDeadlineExceededError } from '../../lib/index.js';
import { PoolFailure } from '../../lib/pool/pool-failure.js';
import { FakeClock } from '../support/fake-clock.js';
import { gate } from '../support/pooled-client.js';

const tooLate = new MilvusDeadlineExceededError('too late', { client: 'c' });
const closed = new MilvusClosedError('closed', { client: 'c' });
const noRoom = new PoolFailure('no-room', { size: 1, maxConnections: 1, inFlight: 1, pending: 1 });
const never = new Promise<never>(() => {});

let clock: FakeClock;
let call: Call;
let waitedFor: PoolFailure | undefined;

beforeEach(() => {
  clock = new FakeClock();
  call = new Call(
    {
      method: 'search',
      timeoutMs: 100,
      metadata: { dbname: 'books' },
      timeoutError: unsent => {
        waitedFor = unsent;
        return tooLate;
      },
    },
    clock,
  );
});

/** An RPC under way; it waits for a connection if it is given a reason. */
function rpc(cancel: () => void, unsent?: PoolFailure): RpcUnderWay {
  return { cancel, unsent: () => unsent };
}

describe('a call', () => {
  it('gives what its work gives, and needs its timer no more', async () => {
    await expect(call.follow(Promise.resolve(1))).resolves.toBe(1);

    expect(call.ended).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('fails as its work fails, and needs its timer no more', async () => {
    const error = new Error('work');
    await expect(call.follow(Promise.reject(error))).rejects.toBe(error);

    expect(call.ended).toBe(true);
    expect(clock.pending).toBe(0);
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
    forget();
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
    const waiting = call.begin({ cancel: () => {}, unsent: () => noRoom });
    expect([call.unsent(), call.executedInPart]).toEqual([noRoom, false]);
    waiting();
    call.begin({ cancel: () => {}, unsent: () => undefined })();
    call.begin({ cancel: () => {}, unsent: () => noRoom });
    expect([call.unsent(), call.executedInPart]).toEqual([undefined, true]);
  });
});

import { beforeEach, describe, expect, it } from '@jest/globals';
import { Call } from '../../lib/client/call.js';
import type { CallOwner, CallRequest } from '../../lib/client/call-request.js';
import type { RpcUnderWay } from '../../lib/endpoint/rpc.js';
import { MilvusAbortedError, MilvusClosedError, MilvusDeadlineExceededError } from '../../lib/index.js';
import { DeadlineTimers } from '../../lib/resilience/deadline-timers.js';
import { FakeClock } from '../support/fake-clock.js';
import { poolFailure } from './failed-rpcs.js';

const tooLate = new MilvusDeadlineExceededError('too late', { client: 'c' });
const aborted = new MilvusAbortedError('aborted', { client: 'c' });
const noRoom = poolFailure('no-room');
const never = new Promise<never>(() => {});
const read = (name: string) => ({ name, repeatability: 'read' as const });
const write = (name: string) => ({ name, repeatability: 'once' as const });

let clock: FakeClock;
let owner: CallOwner;
let controller: AbortController;
/** The `execute()`. */
let call: Call;

const begin = (method: string, more: Partial<CallRequest['limit']>, scope: Partial<CallRequest['scope']>) =>
  new Call(
    {
      method,
      limit: { timeoutMs: 100, setBy: '', ...more },
      metadata: {},
      scope: { errors: 'throw', retry: false, ...scope },
    },
    owner,
    clock,
  );

/** A call of its function, which ends no later than it. */
const inner = () => begin('insert', { wholeMs: 100 }, { within: call, signals: call.request.scope.signals });

beforeEach(() => {
  clock = new FakeClock();
  controller = new AbortController();
  owner = {
    timers: new DeadlineTimers([], clock),
    deadlineError: () => tooLate,
    abortedError: () => aborted,
    swallowedError: () => undefined,
    toError: (_call, thrown) => thrown,
    authorization: {},
    retrying: () => {},
    callEnded: () => {},
  };
  call = begin('execute', {}, { signals: [controller.signal] });
});

/** An RPC on the wire, but for what is given. */
function sent(more: Partial<RpcUnderWay> = {}): RpcUnderWay {
  return { cancel: () => {}, unsent: () => undefined, sends: 1, uncertain: true, writes: false, ...more };
}

describe('a call within an execute()', () => {
  it('makes what is under way for it known', () => {
    expect([call.mayRun, call.outcomeUnknown, call.executedInPart]).toEqual([false, false, false]);
    const part = inner();
    const forgetRead = part.begin(sent());
    expect([call.mayRun, call.outcomeUnknown, call.executedInPart]).toEqual([true, false, false]);
    const forgetWrite = part.begin(sent({ writes: true }));
    expect([call.mayRun, call.outcomeUnknown]).toEqual([true, true]);
    forgetRead(false);
    forgetWrite(false);
    expect([call.mayRun, call.outcomeUnknown, call.executedInPart]).toEqual([true, false, true]);
  });

  it('leaves it in doubt when nobody knows what came of an RPC', () => {
    const part = inner();
    part.begin(sent({ writes: true }))(true);
    part.finish();

    expect([part.outcomeUnknown, call.outcomeUnknown]).toEqual([true, true]);
  });

  it('tells it why nothing was sent', () => {
    inner().begin(sent({ unsent: () => noRoom, sends: 0, uncertain: false }));
    expect(call.unsent()).toBe(noRoom);
    inner().begin(sent());
    expect(call.unsent()).toBeUndefined();
  });

  it('tells it of its writes', () => {
    inner().answered(read('Search'), {});
    expect(call.wrote).toBe(false);
    inner().answered(write('Insert'), {});
    expect(call.wrote).toBe(true);
  });

  it('is waited for where Milvus may be executing a write of it, and else ended', async () => {
    const events: string[] = [];
    const over = new MilvusClosedError('over', { client: 'c' });
    await call.quiet(() => over);
    const [reading, writing] = [inner(), inner()];
    reading.begin(sent());
    writing.begin(sent({ writes: true }));
    const outcome = reading.follow(never);
    const quiet = call.quiet(() => over).then(() => events.push('quiet'));
    await expect(outcome).rejects.toBe(over);
    expect(writing.ended).toBe(false);
    events.push('the last ends');
    writing.finish();
    await quiet;

    expect(events).toEqual(['the last ends', 'quiet']);
  });

  it.each([
    ['its deadline', () => clock.advance(100), tooLate],
    ['its signal', () => controller.abort(), aborted],
  ])('ends after it, at %s', async (_what, ends, error) => {
    const order: string[] = [];
    const part = inner();
    const whole = call.follow(never).catch((reason: unknown) => {
      order.push('whole');
      return reason;
    });
    const ofPart = part.follow(never).catch((reason: unknown) => {
      order.push('part');
      return reason;
    });
    ends();

    expect([await whole, await ofPart]).toEqual([error, error]);
    expect([order, part.ended]).toEqual([['whole', 'part'], true]);
  });
});

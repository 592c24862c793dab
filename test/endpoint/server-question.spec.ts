import { beforeEach, describe, expect, it } from '@jest/globals';
import type { Gateway } from '../../lib/endpoint/gateway.js';
import { type Rpc, type RpcCall, RpcError, type RpcFailure, type RpcMethod } from '../../lib/endpoint/rpc.js';
import { ServerQuestion } from '../../lib/endpoint/server-question.js';
import type { PoolFailureReason } from '../../lib/pool/pool-failure.js';
import { PoolFailure } from '../../lib/pool/pool-failure.js';
import { ConnectError } from '../../lib/transport/connect-error.js';
import { FakeClock } from '../support/fake-clock.js';
import { failed } from './attempts.js';
import { poolFailure } from './delivery-run.js';

const method = (name: string) => ({ name, path: `/${name}`, repeatability: 'read' }) as RpcMethod;
const metadata = { authorization: 'secret' };

let clock: FakeClock;
let asked: Rpc[];
let calls: RpcCall[];
let answers: Record<string, () => Promise<object> | object>;
let question: ServerQuestion;

beforeEach(() => {
  clock = new FakeClock();
  asked = [];
  calls = [];
  answers = { GetVersion: () => ({ version: 'v2.6.2' }) };
  const gateway = {
    send: async (rpc: Rpc, call: RpcCall) => {
      asked.push(rpc);
      calls.push(call);
      return answers[rpc.method.name]!();
    },
  };
  const questions = {
    checkHealth: method('CheckHealth'),
    getVersion: method('GetVersion'),
    metadata: () => metadata,
  };
  question = new ServerQuestion(gateway as unknown as Gateway, questions, clock);
});

const names = () => asked.map(rpc => rpc.method.name);

/** The server is asked, and this comes of it. */
function given(answer: object | Error) {
  answers['CheckHealth'] = () => {
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return question.ask(2_000);
}

const wire = (code: number, details = 'details') => {
  const failure: RpcFailure = { at: 'wire', authority: 'milvus:19530', attempt: failed({ code }) };
  return new RpcError('CheckHealth', code, details, failure);
};
const ofPool = (pool: PoolFailure) => new RpcError('CheckHealth', 14, pool.message, { at: 'pool', pool });

describe('the question how the server is', () => {
  it('goes past the circuit breaker, once, in time, with what identifies its client', async () => {
    await given({ isHealthy: true });
    expect(asked).toEqual([{ method: method('CheckHealth'), request: {}, timeoutMs: 2_000 }]);
    expect(calls[0]).toMatchObject({ retry: false, probes: true, idempotent: false, ended: false, metadata });
    expect(calls[0]!.deadline.at).toBe(clock.now() + 2_000);
  });

  it.each<[string, object, string | undefined]>([
    ['it is well', { isHealthy: true, reasons: [] }, undefined],
    [
      'it says why it is not',
      { isHealthy: false, reasons: ['no querynode', 'no disk'] },
      'no querynode; no disk',
    ],
    [
      'it has lost its coordinators',
      { isHealthy: false, reasons: [], status: { code: 65_535, reason: 'find no available rootcoord' } },
      'find no available rootcoord',
    ],
    ['it refuses', { status: { code: 2, reason: 'not yet' } }, 'not yet'],
    ['it does not say why', { isHealthy: false, reasons: [] }, 'it gives no reason'],
    ['it says nothing of it', {}, 'it gives no reason'],
  ])('is answered: %s', async (_what, answer, reason) => {
    expect(await given(answer)).toEqual(
      reason === undefined
        ? { healthy: true }
        : { healthy: false, reason: `Milvus says that it is not healthy: ${reason}` },
    );
  });

  it.each([
    [16, 'UNAUTHENTICATED'],
    [7, 'PERMISSION_DENIED'],
  ])('is answered well enough by %i %s', async code => {
    expect(await given(wire(code))).toEqual({ healthy: true });
  });

  it('finds silence, and for how long', async () => {
    expect(await given(wire(4))).toEqual({
      healthy: false,
      reason: 'Milvus was asked how it is: no answer within 2000 ms',
      silent: true,
    });
  });

  it.each([14, 1, 2, 13])('finds a server that does not say so itself at code %i', async code => {
    expect(await given(wire(code, 'gone'))).toEqual({
      healthy: false,
      reason: expect.stringMatching(/^Milvus was asked how it is: \d+ \w+: gone$/),
      silent: true,
    });
  });

  it('finds that there is no connection, and says why and what to do', async () => {
    const refused = new ConnectError('h:1: refused', 'unreachable', 'Start it');
    const failure = new PoolFailure('unreachable', poolFailure('unreachable').snapshot, refused);
    expect(await given(ofPool(failure))).toEqual({
      healthy: false,
      reason: 'h:1: refused. Start it',
      silent: true,
    });
    expect(await given(ofPool(poolFailure('unreachable')))).toMatchObject({
      healthy: false,
      reason: 'there is no connection',
    });
  });

  it.each<PoolFailureReason>(['line-full', 'no-room', 'closed'])(
    'finds out nothing where the pool had no place for it: %s',
    async reason => {
      expect(await given(ofPool(poolFailure(reason)))).toBeUndefined();
    },
  );

  it('finds out nothing where it was not to go on', async () => {
    const ended = new RpcError('CheckHealth', 1, 'its call has ended', { at: 'call' });
    expect(await given(ended)).toBeUndefined();
  });
});

describe('a server that has no CheckHealth', () => {
  it('is asked for its version instead, at once and from then on', async () => {
    expect(await given(wire(12))).toEqual({ healthy: true });
    expect(await question.ask(500)).toEqual({ healthy: true });
    expect(names()).toEqual(['CheckHealth', 'GetVersion', 'GetVersion']);
    expect(asked.at(-1)!.timeoutMs).toBe(500);
  });

  it.each([
    [14, false],
    [12, false],
    [16, true],
  ])('is judged by that: code %i', async (code, healthy) => {
    answers['GetVersion'] = () => {
      throw wire(code);
    };
    expect(await given(wire(12))).toMatchObject({ healthy });
    expect(names()).toEqual(['CheckHealth', 'GetVersion']);
  });
});

describe('stop()', () => {
  it('cancels the question that is under way, and is nothing else', async () => {
    let cancelled = 0;
    const underWay = { cancel: () => (cancelled += 1) };
    question.stop();
    let over = () => {};
    answers['CheckHealth'] = () =>
      new Promise(resolve => {
        over = () => resolve({ isHealthy: true });
      });
    const answer = question.ask(2_000);
    const forget = calls[0]!.begin(underWay as never);
    question.stop();
    expect(cancelled).toBe(1);
    forget(false);
    question.stop();
    expect(cancelled).toBe(1);
    over();
    expect(await answer).toEqual({ healthy: true });
  });
});

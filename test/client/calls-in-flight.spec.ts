import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Call } from '../../lib/client/call.js';
import { CallsInFlight } from '../../lib/client/calls-in-flight.js';
import { Deadline } from '../../lib/resilience/deadline.js';

interface Given {
  timeoutMs?: number;
  unattended?: boolean;
  within?: Call;
  unsent?: boolean;
}

let calls: CallsInFlight;
let ended: string[];

beforeEach(() => {
  jest.useFakeTimers();
  calls = new CallsInFlight();
  ended = [];
});

afterEach(() => void jest.useRealTimers());

function add(method: string, { timeoutMs = 1_000, unattended = false, within, unsent = false }: Given = {}) {
  const call = {
    method,
    deadline: new Deadline(timeoutMs),
    request: { unattended, scope: { within } },
    ended: false,
    unsent: () => (unsent ? {} : undefined),
    end(error: Error) {
      if (call.ended) return;
      call.ended = true;
      ended.push(error.message);
      calls.delete(call as unknown as Call);
    },
  };
  calls.add(call as unknown as Call);
  return call as unknown as Call;
}

const because = ({ method }: Call) => new Error(`${method} ended`);

describe('the calls in flight', () => {
  it('are counted from their begin to their end', () => {
    expect([calls.none, calls.count, calls.describe(20)]).toEqual([true, 0, []]);
    const search = add('search');
    add('search');
    expect([calls.none, calls.count]).toEqual([false, 2]);
    calls.delete(search);
    calls.delete(search);
    expect([calls.none, calls.count]).toEqual([false, 1]);
  });

  it('are described with their age, the oldest first, and no more of them than are wanted', () => {
    add('search', { timeoutMs: 5_000 });
    jest.advanceTimersByTime(300);
    add('insert', { timeoutMs: 60_000 });
    jest.advanceTimersByTime(200);
    add('query', { timeoutMs: 1 });
    jest.advanceTimersByTime(100);
    expect(calls.describe(20)).toEqual([
      { method: 'search', ageMs: 600 },
      { method: 'insert', ageMs: 300 },
      { method: 'query', ageMs: 100 },
    ]);
    expect(calls.describe(2).map(({ method }) => method)).toEqual(['search', 'insert']);
  });

  it('count as one with the execute() they are within, and by themselves when that is over', () => {
    const whole = add('execute');
    add('search', { within: whole });
    expect([calls.count, calls.describe(20).map(({ method }) => method)]).toEqual([1, ['execute']]);
    calls.delete(whole);
    Object.assign(whole, { ended: true });
    expect([calls.none, calls.count, calls.describe(20)[0]!.method]).toEqual([false, 1, 'search']);
  });

  it('end together: first what waits, then the rest, each the latest first, and each once', () => {
    const whole = add('execute');
    add('search', { within: whole });
    add('query', { unsent: true });
    add('insert');
    add('delete', { unsent: true });
    calls.cancelAll(because);
    expect(ended).toEqual(['delete ended', 'query ended', 'insert ended', 'search ended', 'execute ended']);
    expect(calls.none).toBe(true);
  });

  it('end by themselves where nobody waits for them', () => {
    add('search');
    add('connect', { unattended: true });
    calls.cancelUnattended(because);
    expect([ended, calls.count]).toEqual([['connect ended'], 1]);
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Call } from '../../lib/client/call.js';
import { CallLimits, limitOf } from '../../lib/client/call-limits.js';
import { Deadline } from '../../lib/resilience/deadline.js';
import { FakeClock } from '../support/fake-clock.js';

const limits = new CallLimits({ readMs: 100, writeMs: 200, adminMs: 300, waitMs: 400 });

describe('the limit of a call', () => {
  it.each([
    ['search', 100, '`timeouts.readMs`'],
    ['insert', 200, '`timeouts.writeMs`'],
    ['dropCollection', 300, '`timeouts.adminMs`'],
    ['loadCollection', 400, '`timeouts.waitMs`'],
  ])('of %s is that of its class', (method, timeoutMs, setBy) => {
    expect(limits.ofCall(method, {}, {})).toEqual({ timeoutMs, setBy });
  });

  it.each<[string, unknown, number | undefined, number, string]>([
    ["the request's", { timeout: 50 }, undefined, 50, "the request's `timeout`"],
    ['the one of with()', { timeout: 50 }, 40, 40, '`with({ timeoutMs })`'],
    ["the class's", { timeout: 500 }, 600, 100, '`timeouts.readMs`'],
    ['none when over already', { timeout: -1 }, undefined, 0, "the request's `timeout`"],
  ])('is the earliest: %s', (_what, request, derivedMs, timeoutMs, setBy) => {
    expect(limits.ofCall('search', request, { timeoutMs: derivedMs })).toEqual({ timeoutMs, setBy });
  });

  it.each([
    [{ timeout: 0 }],
    [{ timeout: Number.NaN }],
    [{ timeout: '50' }],
    [undefined],
    [null],
    ['text'],
    [[1]],
  ])('is that of the class for a request that names none: %j', request => {
    expect(limits.ofCall('search', request, {}).timeoutMs).toBe(100);
  });

  it('is never later than any of the three', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        fc.option(fc.double({ min: 1, noNaN: true })),
        (timeout, derived) => {
          const { timeoutMs } = limits.ofCall('insert', { timeout }, { timeoutMs: derived ?? undefined });
          const asked = timeout === 0 ? Number.POSITIVE_INFINITY : Math.max(0, timeout);
          expect(timeoutMs).toBe(Math.min(200, asked, derived ?? Number.POSITIVE_INFINITY));
        },
      ),
    );
  });
});

describe('the limit of a call within an execute()', () => {
  const clock = new FakeClock();
  const limit = { timeoutMs: 90, setBy: '`execute({ timeoutMs })`' };
  const within = { deadline: new Deadline(90, clock), request: { limit } } as Call;

  it('is what is left of that, if it is sooner, and says so', () => {
    expect(limits.ofCall('search', {}, { within })).toEqual({ ...limit, wholeMs: 90 });
    clock.advance(30);
    expect(limits.ofCall('insert', {}, { within })).toEqual({ ...limit, timeoutMs: 60, wholeMs: 90 });
    expect(limits.ofCall('search', { timeout: 50 }, { within }).setBy).toBe("the request's `timeout`");
    expect(limits.ofCall('search', {}, { within, timeoutMs: 40 })).toEqual({
      timeoutMs: 40,
      setBy: '`with({ timeoutMs })`',
    });
    clock.advance(100);
    expect(limits.ofCall('search', {}, { within }).timeoutMs).toBe(0);
  });

  it('is what it asks for, the longest there is, or what is left of the one around it', () => {
    const around = { deadline: new Deadline(20, clock), request: { limit } } as Call;
    expect(limits.ofExecute(undefined, {})).toEqual({ timeoutMs: 400, setBy: '`timeouts.waitMs`' });
    expect(limits.ofExecute(500, {})).toEqual({ timeoutMs: 500, setBy: '`execute({ timeoutMs })`' });
    expect(limits.ofExecute(500, { within: around })).toEqual({ ...limit, timeoutMs: 20, wholeMs: 90 });
    expect(limits.ofExecute(10, { within: around }).timeoutMs).toBe(10);
    expect(limits.ofExecute(500, { timeoutMs: 30 })).toEqual({
      timeoutMs: 30,
      setBy: '`with({ timeoutMs })`',
    });
    expect(limits.ofExecute(1e12, {}).timeoutMs).toBe(2 ** 31 - 1);
  });
});

describe('the limit of an RPC', () => {
  it.each([
    ['GetLoadingProgress', 'loadCollection', 100],
    ['LoadCollection', 'loadCollection', 300],
    ['CreateIndex', 'createCollection', 300],
    // Where nobody waits for something to be done, the call's own limit is enough.
    ['DescribeCollection', 'insert', 200],
    ['Insert', 'insert', 200],
    ['Search', 'search', 100],
  ])('%s within %s is %s ms', (rpc, method, timeoutMs) => {
    expect(limits.ofRpc(rpc, method).timeoutMs).toBe(timeoutMs);
  });
});

describe('a limit of our own', () => {
  it('fits a timer', () => {
    expect(limitOf(Number.POSITIVE_INFINITY).timeoutMs).toBe(2 ** 31 - 1);
    expect(limitOf(5).timeoutMs).toBe(5);
  });
});

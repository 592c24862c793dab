import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { connectToFirst } from '../../lib/topology/connect-to-first.js';
import { ConnectError } from '../../lib/transport/connect-error.js';

interface Connection {
  readonly port: number;
  readonly number: number;
  destroy(): void;
}

interface Try {
  port: number;
  /** When it began, and how long it may take. */
  atMs: number;
  timeoutMs: number;
  signal: AbortSignal;
  open(): void;
  fail(message: string): void;
}

let tries: Try[];
let outcome: Connection | ConnectError | undefined;
let destroyed: number;

beforeEach(() => {
  jest.useFakeTimers();
  tries = [];
  outcome = undefined;
  destroyed = 0;
});

afterEach(() => {
  jest.useRealTimers();
});

/** Tries hang until the test ends them, their time is up, or they are stopped. */
function connectTo(ports: number[], timeoutMs = 10_000, signal = new AbortController().signal): void {
  const startedAt = performance.now();
  const connect = ({ port }: { port: number }, stop: AbortSignal, ownMs: number) =>
    new Promise<Connection>((resolve, reject) => {
      const number = tries.length;
      const fail = (message: string) => {
        clearTimeout(limit);
        reject(new ConnectError(`h:${port}: ${message}`, 'timeout', 'Check it'));
      };
      const open = () => {
        clearTimeout(limit);
        resolve({ port, number, destroy: () => (destroyed += 1) });
      };
      const limit = setTimeout(() => fail(`timed out (${number})`), ownMs);
      tries.push({ port, atMs: performance.now() - startedAt, timeoutMs: ownMs, signal: stop, open, fail });
      stop.addEventListener('abort', () => fail('stopped'));
    });
  const addresses = ports.map(port => ({ host: 'h', port }));
  connectToFirst(addresses, connect, signal, timeoutMs).then(
    connection => (outcome = connection),
    error => (outcome = error),
  );
}

const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const begun = () => tries.map(({ port, atMs }) => [port, atMs]);

describe('connecting to a server that swallows packets', () => {
  it('tries again beside a try that takes long, and takes whichever answers', async () => {
    connectTo([1]);
    await pass(1_999);
    expect(begun()).toEqual([[1, 0]]);
    await pass(1);
    expect(begun()).toEqual([
      [1, 0],
      [1, 2_000],
    ]);
    tries[1]!.open();
    await pass(0);
    expect(outcome).toMatchObject({ port: 1, number: 1 });
    expect([tries[0]!.signal.aborted, jest.getTimerCount()]).toEqual([true, 0]);
    await pass(60_000);
    expect(tries).toHaveLength(2);
  });

  it('takes the first try if that answers after all, and closes the other', async () => {
    connectTo([1]);
    await pass(2_500);
    tries[0]!.open();
    tries[1]!.open();
    await pass(0);
    expect([outcome, destroyed]).toEqual([expect.objectContaining({ number: 0 }), 1]);
  });

  it('tries all addresses in each round, each a quarter of a second after the one before', async () => {
    connectTo([1, 2]);
    await pass(2_500);
    expect(begun()).toEqual([
      [1, 0],
      [2, 250],
      [1, 2_000],
      [2, 2_250],
    ]);
    // Those of the first round have the whole time, later ones what is left of it.
    expect(tries.map(({ timeoutMs }) => timeoutMs)).toEqual([10_000, 10_000, 8_000, 8_000]);
  });

  it('ends with the whole time, whatever round it is, and begins none for which too little is left', async () => {
    connectTo([1]);
    await pass(9_999);
    expect(begun()).toEqual([0, 2_000, 4_000, 6_000].map(ms => [1, ms]));
    expect(tries.map(({ timeoutMs }) => timeoutMs)).toEqual([10_000, 8_000, 6_000, 4_000]);
    expect(outcome).toBeUndefined();
    await pass(1);
    expect(outcome).toBeInstanceOf(ConnectError);
    expect(jest.getTimerCount()).toBe(0);
  });

  it.each([
    [4_000, 1],
    [4_001, 2],
  ])('begins no second round within %i ms: %i tries', async (timeoutMs, count) => {
    connectTo([1], timeoutMs);
    await pass(timeoutMs);
    expect(tries).toHaveLength(count);
    expect(outcome).toBeInstanceOf(ConnectError);
  });

  it('names each address once, with what came of its first try', async () => {
    connectTo([1, 2]);
    await pass(2_300);
    tries[1]!.fail('refused');
    tries[3]!.fail('refused later');
    await pass(10_000);
    expect((outcome as ConnectError).message).toBe('h:2: refused; h:1: timed out (0)');
  });

  it('goes on while a try of another round may still succeed', async () => {
    connectTo([1]);
    await pass(2_500);
    tries[0]!.fail('reset');
    await pass(0);
    expect(outcome).toBeUndefined();
    tries[1]!.open();
    await pass(0);
    expect(outcome).toMatchObject({ number: 1 });
  });

  it('is over as soon as every try has failed', async () => {
    connectTo([1, 2]);
    await pass(300);
    for (const each of tries) each.fail('refused');
    await pass(0);
    expect((outcome as ConnectError).message).toBe('h:1: refused; h:2: refused');
    await pass(60_000);
    expect(tries).toHaveLength(2);
  });

  it('begins no round any more when it is not wanted', async () => {
    const unwanted = new AbortController();
    connectTo([1], 10_000, unwanted.signal);
    await pass(1_000);
    unwanted.abort();
    await pass(60_000);
    expect([outcome, tries.length]).toEqual([expect.any(ConnectError), 1]);
  });
});

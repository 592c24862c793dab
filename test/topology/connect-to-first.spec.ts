import { describe, expect, it } from '@jest/globals';
import { connectToFirst } from '../../lib/topology/connect-to-first.js';
import { ConnectError } from '../../lib/transport/connect-error.js';

const addresses = [1, 2, 3].map(port => ({ host: 'h', port }));

class Connection {
  destroyed = false;
  constructor(readonly port: number) {}
  destroy(): void {
    this.destroyed = true;
  }
}

const refused = (port: number) => new ConnectError(`h:${port}: refused`, 'unreachable', 'Start it');
const never = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new ConnectError('stopped', 'cancelled', '')));
  });

/** What each port does; the ports that were tried, in order. */
function tries(behaviour: (port: number, signal: AbortSignal) => Promise<Connection>, signal?: AbortSignal) {
  const tried: number[] = [];
  const connect = ({ port }: { port: number }, stop: AbortSignal) => {
    tried.push(port);
    return behaviour(port, stop);
  };
  const stop = signal ?? new AbortController().signal;
  return { tried, result: connectToFirst(addresses, connect, stop, 10_000) };
}

describe('connecting to the first of several addresses', () => {
  it('takes the first, and tries no other, when it answers', async () => {
    const { tried, result } = tries(async port => new Connection(port));
    expect([(await result).port, tried]).toEqual([1, [1]]);
  });

  it('goes on at once when one refuses', async () => {
    const { tried, result } = tries(async port => {
      if (port < 3) throw refused(port);
      return new Connection(port);
    });
    expect([(await result).port, tried]).toEqual([3, [1, 2, 3]]);
  });

  it('does not wait for one that says nothing, and stops it when another answers', async () => {
    let stopped = false;
    const { tried, result } = tries(async (port, signal) => {
      if (port > 1) return new Connection(port);
      signal.addEventListener('abort', () => {
        stopped = true;
      });
      return never(signal);
    });
    expect([(await result).port, tried, stopped]).toEqual([2, [1, 2], true]);
  });

  it('names them all when none answers', async () => {
    const { result } = tries(async port => {
      throw refused(port);
    });
    await expect(result).rejects.toThrow('h:1: refused; h:2: refused; h:3: refused');
  });

  it('ends when it is no longer wanted', async () => {
    const unwanted = new AbortController();
    const { tried, result } = tries((_, signal) => never(signal), unwanted.signal);
    unwanted.abort();
    await expect(result).rejects.toMatchObject({ failure: 'cancelled' });
    expect(tried).toEqual([1]);
  });

  it('closes one that was established too late', async () => {
    const late: Connection[] = [];
    let open: () => void = () => {};
    const { result } = tries(port => {
      if (port > 1) return Promise.resolve(new Connection(port));
      return new Promise(resolve => {
        open = () => {
          late.push(new Connection(port));
          resolve(late[0]!);
        };
      });
    });
    await result;
    open();
    await new Promise(resolve => setImmediate(resolve));
    expect(late[0]?.destroyed).toBe(true);
  });
});

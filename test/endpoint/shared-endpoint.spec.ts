import { afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { Subject } from 'rxjs';
import { Endpoint } from '../../lib/endpoint/endpoint.js';
import type { ServerQuestions } from '../../lib/endpoint/server-question.js';
import { type EndpointClaim as Claim, SharedEndpoint } from '../../lib/endpoint/shared-endpoint.js';
import { SharedEndpoints } from '../../lib/endpoint/shared-endpoints.js';
import type { ClientLog } from '../../lib/telemetry/client-log.js';
import type { PoolEvent } from '../../lib/telemetry/pool-events.js';
import { ConnectError } from '../../lib/transport/connect-error.js';
import { claims, resolved, user } from './endpoint-users.js';

afterEach(() => void jest.restoreAllMocks());

describe('a shared endpoint', () => {
  it.each([[[0, 1, 2]], [[0, 2, 1]], [[1, 0, 2]], [[1, 2, 0]], [[2, 0, 1]], [[2, 1, 0]]])(
    'closes with its last client, in whatever order they end: %j',
    async order => {
      const directory = new SharedEndpoints();
      const all = claims(directory, 3);
      const [first, second, last] = order.map(index => all[index]!) as [Claim, Claim, Claim];
      const { endpoint } = last;
      const windDown = jest.spyOn(endpoint, 'windDown');
      await first.release(0);
      await second.release(0);
      // A second time, which is not the last one's.
      await first.release(0);
      expect([endpoint.pool.state, windDown.mock.calls, last.users]).toEqual(['idle', [], [`c${order[2]}`]]);
      await last.release(0);
      expect([endpoint.pool.state, directory.stats(), last.users]).toEqual(['closed', [], []]);
      await last.release(0);
    },
  );

  it('closes when all end at once', async () => {
    const directory = new SharedEndpoints();
    const all = claims(directory, 10);
    await Promise.all(all.map(claim => claim.release(0)));
    expect([all[0]!.endpoint.pool.state, directory.stats()]).toEqual(['closed', []]);
  });

  it('winds down when all of its clients leave, and gets no new one from then on', async () => {
    const directory = new SharedEndpoints();
    const [one, other] = claims(directory, 2) as [Claim, Claim];
    const windDown = jest.spyOn(one.endpoint, 'windDown');
    one.leave();
    one.leave();
    expect(windDown).not.toHaveBeenCalled();
    other.leave();
    expect(windDown).toHaveBeenCalled();

    const next = directory.claim(resolved(), user('next'));
    expect(next.endpoint).not.toBe(one.endpoint);
    expect(directory.stats().map(({ clients }) => clients)).toEqual([['c0', 'c1'], ['next']]);
    await Promise.all([one.release(0), other.release(0)]);
    // The old one's end is not that of its successor.
    expect(directory.claim(resolved(), user('after')).endpoint).toBe(next.endpoint);
  });

  it('goes on when a client comes while the others leave', async () => {
    const directory = new SharedEndpoints();
    const [one, other] = claims(directory, 2) as [Claim, Claim];
    one.leave();
    const late = directory.claim(resolved(), user('late'));
    other.leave();
    await Promise.all([one.release(0), other.release(0)]);
    expect([late.endpoint === one.endpoint, late.endpoint.pool.state, late.users]).toEqual([
      true,
      'idle',
      ['late'],
    ]);
  });

  it('serves whoever has not left, whatever the order in which they come and go', async () => {
    const step = fc.record({ do: fc.constantFrom('claim', 'leave', 'release'), which: fc.nat(4) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async steps => {
        const directory = new SharedEndpoints();
        const there = new Map<string, { claim: Claim; left: boolean }>();
        let names = 0;
        for (const { do: what, which } of steps) {
          const [name, each] = [...there][which] ?? [];
          if (what === 'claim') {
            const claim = directory.claim(resolved(), user(`c${++names}`));
            there.set(`c${names}`, { claim, left: false });
          } else if (each && what === 'leave') {
            each.claim.leave();
            each.left = true;
          } else if (each) {
            there.delete(name!);
            await each.claim.release(0);
          }
          const endpoints = new Set([...there.values()].map(({ claim }) => claim.endpoint));
          expect([...endpoints].map(({ pool }) => pool.state)).not.toContain('closed');
          // Those who stay are on one endpoint.
          const staying = [...there.values()].filter(({ left }) => !left);
          expect(new Set(staying.map(({ claim }) => claim.endpoint)).size).toBeLessThanOrEqual(1);
          const listed = directory.stats().flatMap(({ clients }) => clients);
          expect(new Set(listed)).toEqual(new Set(there.keys()));
          expect(listed).toHaveLength(there.size);
        }
        await Promise.all([...there.values()].map(({ claim }) => claim.release(0)));
        expect(directory.stats()).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

describe('what happens in a shared endpoint', () => {
  const everybody: string[] = [];
  const shared = () => {
    everybody.length = 0;
    const events = new Subject<PoolEvent>();
    events.subscribe(({ client, type }) => everybody.push(`${client}: ${type}`));
    return new SharedEndpoint(
      resolved(),
      events,
      () => {},
      () => {},
    );
  };
  const refused = new ConnectError('h:1: refused', 'unreachable', 'Check that Milvus runs');
  const everything = (endpoint: SharedEndpoint) => {
    endpoint.stateChanged('idle', 'ready');
    endpoint.connectionOpened('h:1', 1);
    endpoint.connectionClosed('h:1', 'idle', 'closed');
    endpoint.connectFailed(refused);
    endpoint.probed({ healthy: true }, 1);
  };

  it('is told to every client once, and logged once, by the first', () => {
    const told: string[] = [];
    const endpoint = shared();
    for (const name of ['one', 'other']) endpoint.claim(user(name, told));
    everything(endpoint);
    const of = (who: string) =>
      ['idle → ready', 'opened', 'closed', 'failed', 'probed'].map(what => `${who}: ${what}`);
    expect([...told].sort()).toEqual(
      [...of('log of one'), ...of('events of one'), ...of('events of other')].sort(),
    );
  });

  it('is logged by the next one when the first has ended', async () => {
    const told: string[] = [];
    const endpoint = shared();
    const [first] = ['one', 'other'].map(name => endpoint.claim(user(name, told)));
    await first!.release(0);
    everything(endpoint);
    expect(told.filter(line => line.startsWith('log')).map(line => line.split(':')[0])).toEqual(
      Array(5).fill('log of other'),
    );
    expect(told.join()).not.toContain('of one');
  });

  it('is told once to whoever listens to all endpoints, in the name of the first that stays', async () => {
    const endpoint = shared();
    const [first, second, third] = ['one', 'two', 'three'].map(name => endpoint.claim(user(name)));
    const speaker = () => {
      everybody.length = 0;
      everything(endpoint);
      expect(everybody.map(line => line.split(': ')[1])).toEqual([
        'state-changed',
        'connection-opened',
        'connection-closed',
        'connect-failed',
      ]);
      return new Set(everybody.map(line => line.split(': ')[0]));
    };
    expect(speaker()).toEqual(new Set(['one']));
    first!.leave();
    expect(speaker()).toEqual(new Set(['two']));
    second!.leave();
    third!.leave();
    expect(speaker()).toEqual(new Set(['one']));
    await first!.release(0);
    expect(speaker()).toEqual(new Set(['two']));
    endpoint.stateChanged('ready', 'draining');
    endpoint.stateChanged('draining', 'closed');
    expect(everybody).toHaveLength(4);
  });

  it('keeps nobody waiting who has ended', async () => {
    const directory = new SharedEndpoints();
    const lines: (readonly string[])[] = [];
    const log = { waiting: (_error: Error, _tries: number, names: readonly string[]) => lines.push(names) };
    const [one] = claims(directory, 2) as [Claim];
    const fails = (name: string) =>
      one.waiting.failed(name, log as unknown as ClientLog, new Error('refused'));
    fails('c0');
    await one.release(0);
    // Nobody waits any more, so that it is news again.
    fails('c1');
    expect(lines).toEqual([['c0'], ['c1']]);
  });

  it('is told by its own machinery too', () => {
    const told: string[] = [];
    const directory = new SharedEndpoints();
    const options = resolved({ circuitBreaker: { failureThreshold: 1 } });
    const [{ endpoint }] = ['one', 'other'].map(name => directory.claim(options, user(name, told))) as [
      Claim,
    ];
    endpoint.circuit.leave(endpoint.circuit.enter()!, 'failure');
    expect(told).toEqual(
      ['log of one', 'events of one', 'events of other'].map(who => `${who}: idle → unavailable`),
    );
    expect(directory.stats()).toMatchObject([{ address: 'h:1', state: 'unavailable', circuit: 'open' }]);
  });
});

describe('the question how the server is', () => {
  it('is asked once for all, as one client, and as the next one when that is refused', async () => {
    const asked: ServerQuestions[] = [];
    jest.spyOn(Endpoint.prototype, 'watch').mockImplementation(questions => void asked.push(questions));
    const directory = new SharedEndpoints();
    const all = claims(directory, 3);
    expect(asked).toHaveLength(1);
    const [{ checkHealth, metadata, refused }] = asked as [ServerQuestions];
    const as = () => metadata()['authorization'];
    expect([checkHealth.name, as(), as()]).toEqual(['CheckHealth', 'c0', 'c0']);
    refused!();
    expect(as()).toBe('c1');
    refused!();
    expect(as()).toBe('c2');
    await all[2]!.release(0);
    expect(['c0', 'c1']).toContain(as());
    refused!();
    expect(['c0', 'c1']).toContain(as());
    await all[0]!.release(0);
    expect(as()).toBe('c1');
    await all[1]!.release(0);
    expect(metadata()).toEqual({});
  });
});

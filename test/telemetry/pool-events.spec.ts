import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { ClientLog } from '../../lib/telemetry/client-log.js';
import { type PoolEvent, PoolEvents } from '../../lib/telemetry/pool-events.js';
import { ConnectError } from '../../lib/transport/connect-error.js';

const lease = { client: 'search', ageMs: 61_000.4, stack: '    at handler (app.ts:1:1)' };
const refused = new ConnectError('h:1: refused', 'unreachable', 'Check that Milvus runs');

let lines: string[];
let events: PoolEvents;

beforeEach(() => {
  lines = [];
  const at = (level: string) => (message: string) => lines.push(`${level} ${message}`);
  const logger = { log: at('log'), warn: at('warn'), debug: at('debug'), error: at('error') };
  Logger.overrideLogger(logger as unknown as LoggerService);
  events = new PoolEvents('search', new ClientLog('search', () => ({ name: 'h:1', users: ['search'] })));
});

afterEach(() => Logger.overrideLogger(['fatal']));

function everything(): void {
  events.stateChanged('connecting', 'ready');
  events.connectionOpened('h:1', 12);
  events.connectionClosed('h:1', 'idle', 'closed by the client');
  events.connectFailed(refused);
  events.leaseLeaked(lease);
  events.tooManyLeases([lease], 1);
}

describe('what happens in a pool', () => {
  it('is told to whoever subscribed, in frozen events that name the client', () => {
    const seen: PoolEvent[] = [];
    events.events$.subscribe(event => seen.push(event));
    everything();
    const client = 'search';
    expect(seen).toEqual([
      { client, type: 'state-changed', from: 'connecting', to: 'ready' },
      { client, type: 'connection-opened', address: 'h:1', tookMs: 12 },
      { client, type: 'connection-closed', address: 'h:1', reason: 'idle', detail: 'closed by the client' },
      { client, type: 'connect-failed', error: refused },
      { client, type: 'lease-leaked', lease },
      { client, type: 'too-many-leases', leases: [lease], maxHeld: 1 },
    ]);
    expect(seen.every(Object.isFrozen)).toBe(true);
  });

  it('is told to the log as far as it is of leases, whether somebody subscribed or not', () => {
    everything();
    expect(lines).toEqual([
      `warn a lease is held for 61000 ms and was not released. It was acquired here:\n${lease.stack}`,
      `warn 1 leases are held at once, more than leakDetection.maxHeld (1):\n- lease held for 61000 ms, acquired here:\n${lease.stack}`,
    ]);
  });

  it('has a reason where that is not for the connections', () => {
    const seen: PoolEvent[] = [];
    events.events$.subscribe(event => seen.push(event));
    events.stateChanged('ready', 'unavailable', 'no rootcoord');
    events.stateChanged('unavailable', 'ready', undefined);
    const changed = { client: 'search', type: 'state-changed' };
    expect(seen).toStrictEqual([
      { ...changed, from: 'ready', to: 'unavailable', reason: 'no rootcoord' },
      { ...changed, from: 'unavailable', to: 'ready' },
    ]);
  });

  it('is not told to those who come later, or went', () => {
    const seen: string[] = [];
    events.stateChanged('idle', 'connecting');
    const subscription = events.events$.subscribe(({ type }) => seen.push(type));
    events.connectionOpened('h:1', 1);
    subscription.unsubscribe();
    events.stateChanged('connecting', 'ready');
    expect(seen).toEqual(['connection-opened']);
  });

  it('ends for all with the client, and offers nobody a way to tell things', () => {
    const ends: string[] = [];
    events.events$.subscribe({ complete: () => ends.push('early') });
    events.ended('ready', 'draining');
    events.ended('draining', 'closed');
    events.events$.subscribe({ complete: () => ends.push('late') });
    everything();
    expect(ends).toEqual(['early', 'late']);
    expect('next' in events.events$).toBe(false);
  });
});

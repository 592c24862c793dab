import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ClientLog } from '../../lib/telemetry/client-log.js';
import { ConnectError } from '../../lib/transport/connect-error.js';
import { RecordedLog } from '../support/nest-app.js';

const refused = new ConnectError('h:1: refused', 'unreachable', 'Check that Milvus runs');
const lease = { client: 'c0', ageMs: 61_000.4, stack: '    at handler (app.ts:1:1)' };
const ended = {
  cancelled: [],
  leases: [],
  heldLeases: 0,
  cancelledCalls: 0,
  finishedCalls: 0,
  durationMs: 1,
};

let recorded: RecordedLog;

beforeEach(() => {
  recorded = new RecordedLog();
  Logger.overrideLogger(recorded);
});

afterEach(() => Logger.overrideLogger(['fatal']));

/** Of the first of so many clients of one endpoint. */
function logOf(clients: number): ClientLog {
  const users = Array.from({ length: clients }, (_, index) => `c${index}`);
  return new ClientLog('c0', () => ({ name: 'h:1', users }));
}

describe('what a client logs of an endpoint that others share', () => {
  it('names the others, five at most', () => {
    for (const clients of [1, 2, 6, 50]) logOf(clients).stateChanged('ready', 'unavailable', 'no rootcoord');
    const line = 'warn [Milvus:c0] ready → unavailable: no rootcoord';
    expect(recorded.lines).toEqual([
      line,
      `${line} (shared by c1)`,
      `${line} (shared by c1, c2, c3, c4, c5)`,
      `${line} (shared by c1, c2, c3, c4, c5 and 44 more)`,
    ]);
  });

  it('names them in each line of the endpoint, and in none of its own', () => {
    const log = logOf(2);
    log.connectionOpened('h:1', 1);
    log.connectionClosed('h:1', 'idle', 'closed by the client');
    log.connectFailed(refused);
    log.probed({ healthy: true }, 1);
    log.probed({ healthy: false, reason: 'no rootcoord' }, 1);
    const shared = recorded.lines.length;
    log.connected('v2.6.2', 1);
    log.credentialsChanged();
    log.draining('ready', 1, 0, 10_000);
    log.drained({ ...ended, outcome: 'clean' });
    const isShared = recorded.lines.map(line => line.endsWith('(shared by c1)'));
    expect(isShared).toEqual(recorded.lines.map((_line, index) => index < shared));
    expect(recorded.lines[3]).toBe('debug [Milvus:c0] asked how it is: healthy, in 1 ms (shared by c1)');
    expect(recorded.lines[4]).toContain('asked how it is: no rootcoord, in 1 ms');
  });
});

describe('the lines of clients that wait for their server', () => {
  it('say how many wait, and how often they tried since the last one', () => {
    const log = logOf(50);
    log.waiting(refused, 1, ['c0']);
    log.waiting(refused, 7, ['c0', 'c1', 'c2', 'c3', 'c4', 'c5', 'c6']);
    expect(recorded.lines).toEqual([
      'warn [Milvus:c0] not connected yet, trying on: h:1: refused',
      'warn [Milvus:c0] still not connected after 7 more tries (7 clients: c0, c1, c2, c3, c4 and 2 more), trying on: h:1: refused',
    ]);
  });
});

describe('the levels of a client’s end', () => {
  it('are debug where there is nothing to wait for, else log, and warn where something was cut off', () => {
    const log = logOf(1);
    log.draining('idle', 0, 0, 10_000);
    log.draining('ready', 0, 2, 10_000);
    log.drainPhase(2, 'waiting');
    log.drainLimit([{ method: 'search', ageMs: 70.4 }], 3, [lease]);
    for (const outcome of ['clean', 'timedOut', 'failed']) log.drained({ ...ended, outcome });
    expect(recorded.lines.map(line => line.replace(' [Milvus:c0]', ''))).toEqual([
      'debug idle → draining: 0 calls under way, at most 10000 ms',
      'log ready → draining: 0 calls and 2 leases under way, at most 10000 ms',
      'debug drain 2/5: waiting',
      'warn the drain limit has come before 3 calls and 1 lease ended:\n- search, for 70 ms\n- and 2 more\n- lease held for 61000 ms, acquired here:\n    at handler (app.ts:1:1)',
      'log draining → closed in 1 ms: 0 calls finished, 0 cancelled',
      'warn draining → closed in 1 ms: 0 calls finished, 0 cancelled at the drain limit (shutdown.drainTimeoutMs)',
      'warn draining → closed in 1 ms: 0 calls finished, 0 cancelled',
    ]);
  });
});

describe('a quiet client', () => {
  it('has its ordinary news at debug, and warns as any other', () => {
    const log = logOf(1);
    log.quiet = true;
    log.connected('v2.6.2', 1);
    log.drained({ ...ended, outcome: 'clean' });
    log.credentialsRefused('its `credentials` function gave the same again');
    expect(recorded.lines.map(line => line.split(' ')[0])).toEqual(['debug', 'debug', 'warn']);
  });
});

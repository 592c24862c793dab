import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { ClientLog } from '../../lib/telemetry/client-log.js';
import { ConnectError } from '../../lib/transport/connect-error.js';

let lines: string[];
let log: ClientLog;

beforeEach(() => {
  lines = [];
  const at =
    (level: string) =>
    (message: string, context: string): void => {
      lines.push(`${level} [${context}] ${message}`);
    };
  const logger = { log: at('log'), warn: at('warn'), debug: at('debug'), error: at('error') };
  Logger.overrideLogger(logger as unknown as LoggerService);
  log = new ClientLog('search', () => ({ name: 'h:1', users: ['search'] }));
});

afterEach(() => Logger.overrideLogger(['fatal']));

describe('the log of a client', () => {
  it('warns of an outage once, with the reason and the remedy, and says when it is over', () => {
    const refused = new ConnectError(
      'h:1: nothing accepts connections',
      'unreachable',
      'Check that Milvus runs',
    );
    log.connectFailed(refused);
    log.stateChanged('connecting', 'unavailable');
    log.stateChanged('unavailable', 'ready');

    expect(lines).toEqual([
      'debug [Milvus:search] connecting failed: h:1: nothing accepts connections',
      'warn [Milvus:search] connecting → unavailable: h:1: nothing accepts connections. Check that Milvus runs',
      'log [Milvus:search] unavailable → ready',
    ]);
  });

  it('says why Milvus is not ready where that is not for its connections', () => {
    log.connectFailed(new ConnectError('h:1: refused', 'unreachable', 'Check that Milvus runs'));
    log.stateChanged('ready', 'unavailable', 'no rootcoord');
    log.stateChanged('unavailable', 'degraded', 'Milvus is being tried again');
    log.stateChanged('degraded', 'connecting', 'something');

    expect(lines.slice(1)).toEqual([
      'warn [Milvus:search] ready → unavailable: no rootcoord',
      'warn [Milvus:search] unavailable → degraded: Milvus is being tried again',
      'log [Milvus:search] degraded → connecting',
    ]);
  });

  it('keeps single connections and ordinary changes at debug', () => {
    log.connectionOpened('h:1', 12.4);
    log.stateChanged('connecting', 'ready');
    log.connectionClosed('h:1', 'goaway', 'the server sent GOAWAY (NO_ERROR)');

    expect(lines.map(line => line.split(' ')[0])).toEqual(['debug', 'debug', 'debug']);
    expect(lines[0]).toContain('connection to h:1 opened in 12 ms');
    expect(lines[2]).toContain('GOAWAY (NO_ERROR)');
  });

  it('tells of an RPC that is sent again at debug: which, how often so far, when, and why', () => {
    log.retrying('Search', 2, 99.6, 'Milvus is not available');

    expect(lines).toEqual([
      'debug [Milvus:search] Search failed (attempt 2), is sent again in 100 ms: Milvus is not available',
    ]);
  });

  it('says once that it connected, and to what', () => {
    log.connected('v2.6.2', 23.2);
    log.connected(undefined, 3);

    expect(lines).toEqual([
      'log [Milvus:search] connected to h:1 (Milvus v2.6.2) in 23 ms',
      'log [Milvus:search] connected to h:1 in 3 ms',
    ]);
  });

  it('warns of calls and leases that the end of the client cut off', () => {
    const ended = { cancelled: [], leases: [], heldLeases: 0, cancelledCalls: 0, finishedCalls: 0 };
    log.drained({ ...ended, outcome: 'clean', finishedCalls: 2, durationMs: 5 });
    log.drained({ ...ended, outcome: 'timedOut', finishedCalls: 1, cancelledCalls: 3, durationMs: 10_001 });
    log.drained({ ...ended, outcome: 'timedOut', heldLeases: 2, durationMs: 1 });
    log.drained({ ...ended, outcome: 'failed', error: 'no reason', durationMs: 1 });

    const limit = 'at the drain limit (shutdown.drainTimeoutMs)';
    expect(lines).toEqual([
      'log [Milvus:search] draining → closed in 5 ms: 2 calls finished, 0 cancelled',
      `warn [Milvus:search] draining → closed in 10001 ms: 1 call finished, 3 cancelled ${limit}`,
      `warn [Milvus:search] draining → closed in 1 ms: 0 calls finished, 0 cancelled, 2 leases not released ${limit}`,
      'warn [Milvus:search] draining → closed in 1 ms: 0 calls finished, 0 cancelled; no reason',
    ]);
  });
});

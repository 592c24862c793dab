import { describe, expect, it } from '@jest/globals';
import { about, contextOf, effort, withDelivered } from '../../lib/client/failed-call.js';
import { delivered, failedCall, poolFailure } from './failed-rpcs.js';

describe('a call that failed', () => {
  it('is named by its client and its method', () => {
    expect(about(failedCall)).toBe('Milvus client "search": insert');
  });

  it('has what came of sending the RPC that failed, in place of what was under way', () => {
    const call = { ...failedCall, attempts: 9, mayRun: true, wrote: true };
    const came = delivered({
      attempts: 2,
      uncertain: false,
      repeatable: true,
      hope: 'transient',
      stoppedBy: 'time',
    });

    expect(withDelivered(call, came)).toEqual({
      ...failedCall,
      attempts: 2,
      mayRun: false,
      outcomeUnknown: false,
      wrote: true,
      repeatable: true,
      hope: 'transient',
      stoppedBy: 'time',
    });
    expect(withDelivered(call, undefined)).toBe(call);
  });

  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
    [false, false, false],
  ])(
    'is of unknown outcome when nobody knows (%j) of what changes something (%j): %j',
    (uncertain, writes, unknown) => {
      const call = withDelivered(failedCall, delivered({ uncertain, writes }));
      expect([call.mayRun, call.outcomeUnknown]).toEqual([uncertain, unknown]);
    },
  );

  it('stays of unknown outcome for another part of it', () => {
    const call = withDelivered({ ...failedCall, outcomeUnknown: true }, delivered({ uncertain: false }));
    expect(call.outcomeUnknown).toBe(true);
  });
});

describe('the context of its error', () => {
  it('has client and method, and what is known besides', () => {
    const cause = new Error('why');
    const call = { ...failedCall, attempts: 2, outcomeUnknown: true, hope: 'transient' as const };

    expect(contextOf(call, { grpcCode: 14, cause, hope: 'none' }).hope).toBe('none');
    expect(contextOf(call, { grpcCode: 14, cause })).toEqual({
      client: 'search',
      method: 'insert',
      attempts: 2,
      outcomeUnknown: true,
      hope: 'transient',
      grpcCode: 14,
      cause,
    });
  });

  it.each([0, undefined])('tells no attempts where nothing was sent: %s', attempts => {
    expect(contextOf({ ...failedCall, attempts })).not.toHaveProperty('attempts');
  });
});

describe('the effort that was made', () => {
  it.each([
    [undefined, undefined, ''],
    [1, undefined, ''],
    [1, 'attempts', ''],
    [3, 'attempts', '. It was sent 3 times'],
    [3, undefined, '. It was sent 3 times'],
    [1, 'time', '. There was no time to send it again'],
    [2, 'time', '. It was sent 2 times. There was no time to send it again'],
    [1, 'budget', '. Not again, because the retry budget is used up (retryBudget)'],
    [1, 'circuit', '. Not again, because the circuit breaker is open'],
    [2, 'circuit', '. It was sent 2 times. Not again, because the circuit breaker is open'],
    [2, 'budget', '. It was sent 2 times. Not again, because the retry budget is used up (retryBudget)'],
  ] as const)('%s attempts, ended by %s: "%s"', (attempts, stoppedBy, words) => {
    expect(effort({ ...failedCall, attempts, stoppedBy })).toBe(words);
  });

  it.each([
    ['no-room', undefined, ''],
    ['closed', undefined, ': the client is closing'],
    ['unreachable', undefined, ''],
    ['unreachable', 'unreachable', ': milvus:19530: it failed. Check the host'],
  ] as const)('was ended by want of a connection: %s (%s)', (reason, connect, why) => {
    const noConnection = poolFailure(reason, connect);
    expect(effort({ ...failedCall, attempts: 2, stoppedBy: 'time', noConnection })).toBe(
      `. It was sent 2 times. There was no connection to send it again${why}`,
    );
  });
});

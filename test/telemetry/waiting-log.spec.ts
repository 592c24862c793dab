import { beforeEach, describe, expect, it } from '@jest/globals';
import type { ClientLog } from '../../lib/telemetry/client-log.js';
import { WaitingLog } from '../../lib/telemetry/waiting-log.js';
import { FakeClock } from '../support/fake-clock.js';

let clock: FakeClock;
let waiting: WaitingLog;
let lines: [by: string, message: string, tries: number, clients: readonly string[]][];

beforeEach(() => {
  clock = new FakeClock();
  waiting = new WaitingLog(clock);
  lines = [];
});

function fails(client: string, message = 'refused'): void {
  const log = {
    waiting: (error: Error, tries: number, clients: readonly string[]) =>
      lines.push([client, error.message, tries, clients]),
  } as unknown as ClientLog;
  waiting.failed(client, log, new Error(message));
}

describe('what keeps clients from starting', () => {
  it('is told at the first failure', () => {
    fails('a');
    expect(lines).toEqual([['a', 'refused', 1, ['a']]]);
  });

  it('is told every 30 s from then on, with the tries since and all who wait', () => {
    fails('a');
    for (let s = 1; s < 30; s += 1) {
      clock.advance(1_000);
      fails(s % 2 ? 'b' : 'c');
    }
    clock.advance(999);
    fails('a');
    expect(lines).toHaveLength(1);
    clock.advance(1);
    fails('b', 'no answer');
    expect(lines.slice(1)).toEqual([['b', 'no answer', 31, ['a', 'b', 'c']]]);
    clock.advance(30_000);
    fails('c');
    expect(lines[2]).toEqual(['c', 'refused', 1, ['a', 'b', 'c']]);
  });

  it('names nobody who waits no more', () => {
    for (const client of ['a', 'b', 'c']) fails(client);
    waiting.over('b');
    waiting.over('unknown');
    clock.advance(30_000);
    fails('c');
    expect(lines[1]![3]).toEqual(['a', 'c']);
  });

  it('is told anew, at once, when nobody had waited in between', () => {
    fails('a');
    fails('b');
    waiting.over('a');
    fails('b');
    expect(lines).toHaveLength(1);
    waiting.over('b');
    fails('b');
    expect(lines[1]).toEqual(['b', 'refused', 1, ['b']]);
  });
});

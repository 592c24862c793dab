import { beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Keepalive } from '../../lib/transport/keepalive.js';
import { FakeClock } from '../support/fake-clock.js';

const options = { intervalMs: 1_000, timeoutMs: 200, withoutCalls: false };

let clock: FakeClock;
let happened: string[];

beforeEach(() => {
  clock = new FakeClock();
  happened = [];
});

function start(changed: Partial<typeof options> = {}): Keepalive {
  const peer = {
    ping: () => happened.push(`ping at ${clock.now() - 1_000}`),
    dead: () => happened.push(`dead at ${clock.now() - 1_000}`),
  };
  return new Keepalive({ ...options, ...changed }, peer, clock);
}

describe('keepalive', () => {
  it('asks after silence, once, and gives up when no answer comes', () => {
    start().callsBegan();
    clock.advance(999);
    expect(happened).toEqual([]);
    clock.advance(10_000);
    expect(happened).toEqual(['ping at 1000', 'dead at 1200']);
    expect(clock.pending).toBe(0);
  });

  it('asks again when the answer came and silence followed', () => {
    const keepalive = start();
    keepalive.callsBegan();
    clock.advance(1_000);
    clock.advance(10);
    keepalive.received();
    clock.advance(999);
    expect(happened).toEqual(['ping at 1000']);
    clock.advance(1);
    expect(happened).toEqual(['ping at 1000', 'ping at 2010']);
  });

  it('does not ask while bytes come', () => {
    const keepalive = start();
    keepalive.callsBegan();
    for (let i = 0; i < 100; i += 1) {
      clock.advance(500);
      keepalive.received();
    }
    expect(happened).toEqual([]);
    clock.advance(1_000);
    expect(happened).toEqual(['ping at 51000']);
  });

  it('takes any bytes for an answer', () => {
    const keepalive = start();
    keepalive.callsBegan();
    clock.advance(1_199);
    keepalive.received();
    clock.advance(1);
    expect(happened).toEqual(['ping at 1000']);
  });

  it('never asks an idle connection, and needs no timer for it', () => {
    const keepalive = start();
    clock.advance(100_000);
    keepalive.callsBegan();
    clock.advance(10);
    keepalive.callsEnded();
    clock.advance(100_000);
    expect([happened, clock.pending]).toEqual([[], 0]);
  });

  it('takes calls that follow each other and all go unanswered for one silence', () => {
    const keepalive = start();
    for (let i = 0; i < 100 && clock.now() < 2_190; i += 1) {
      keepalive.callsBegan();
      clock.advance(90);
      keepalive.callsEnded();
      clock.advance(10);
    }
    expect(happened).toEqual(['ping at 1000', 'dead at 1200']);
  });

  it('gives a call that follows a long idle time the whole interval', () => {
    const keepalive = start();
    keepalive.callsBegan();
    clock.advance(10);
    keepalive.received();
    keepalive.callsEnded();
    clock.advance(985);
    keepalive.callsBegan();
    clock.advance(999);
    expect(happened).toEqual([]);
    clock.advance(1);
    expect(happened).toEqual(['ping at 1995']);
  });

  it('gives up on an unanswered question although the call that made it ask has ended', () => {
    const keepalive = start();
    keepalive.callsBegan();
    clock.advance(1_100);
    keepalive.callsEnded();
    clock.advance(100);
    expect(happened).toEqual(['ping at 1000', 'dead at 1200']);
  });

  it('asks idle connections when told to', () => {
    const keepalive = start({ withoutCalls: true });
    clock.advance(1_000);
    keepalive.received();
    clock.advance(1_000);
    expect(happened).toEqual(['ping at 1000', 'ping at 2000']);
  });

  it('is still when stopped', () => {
    const keepalive = start({ withoutCalls: true });
    keepalive.callsBegan();
    clock.advance(1_000);
    keepalive.stop();
    clock.advance(100_000);
    expect([happened, clock.pending]).toEqual([['ping at 1000'], 0]);
  });

  it('asks at once when there is a doubt, also while no call is in flight', () => {
    const keepalive = start();
    keepalive.ask();
    expect(happened).toEqual(['ping at 0']);
    clock.advance(200);
    expect([happened, clock.pending]).toEqual([['ping at 0', 'dead at 200'], 0]);
  });

  it('asks but once until there is an answer', () => {
    const keepalive = start();
    keepalive.ask();
    clock.advance(150);
    keepalive.ask();
    expect(happened).toEqual(['ping at 0']);
    keepalive.received();
    keepalive.ask();
    expect([happened, clock.pending]).toEqual([['ping at 0', 'ping at 150'], 1]);
    clock.advance(200);
    expect(happened.at(-1)).toBe('dead at 350');
  });

  it('is still after the answer to a doubt while no call is in flight', () => {
    const keepalive = start();
    keepalive.ask();
    keepalive.received();
    clock.advance(100_000);
    expect([happened, clock.pending]).toEqual([['ping at 0'], 0]);
  });

  it('watches calls as before after the answer to a doubt', () => {
    const keepalive = start();
    keepalive.callsBegan();
    clock.advance(900);
    keepalive.ask();
    clock.advance(10);
    keepalive.received();
    clock.advance(999);
    expect(happened).toEqual(['ping at 900']);
    clock.advance(1);
    expect(happened).toEqual(['ping at 900', 'ping at 1910']);
    clock.advance(200);
    expect([happened.at(-1), clock.pending]).toEqual(['dead at 2110', 0]);
  });

  it('watches calls that begin after a doubt that was answered', () => {
    const keepalive = start();
    keepalive.ask();
    keepalive.received();
    clock.advance(100);
    keepalive.callsBegan();
    clock.advance(999);
    expect(happened).toEqual(['ping at 0']);
    clock.advance(1);
    expect(happened).toEqual(['ping at 0', 'ping at 1100']);
  });

  it('whatever happens: no more than one question per interval, none while idle, and death only of the silent', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ kind: fc.constant('time' as const), ms: fc.nat(1_500) }),
        fc.record({
          kind: fc.constantFrom('calls' as const, 'none' as const, 'bytes' as const),
          ms: fc.constant(0),
        }),
      ),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, fc.boolean(), (script, answers) => {
        const time = new FakeClock();
        let busy = false;
        let heardMs = time.now();
        let heardSinceCalls = true;
        let lastPingMs = Number.NEGATIVE_INFINITY;
        let dead = false;
        const keepalive: Keepalive = new Keepalive(
          options,
          {
            ping: () => {
              expect(busy).toBe(true);
              expect(time.now() - heardMs).toBeGreaterThanOrEqual(options.intervalMs);
              expect(time.now() - lastPingMs).toBeGreaterThanOrEqual(options.intervalMs);
              lastPingMs = time.now();
              if (!answers) return;
              heardMs = time.now();
              heardSinceCalls = true;
              keepalive.received();
            },
            dead: () => {
              expect(heardMs).toBeLessThan(lastPingMs);
              expect(time.now() - lastPingMs).toBe(options.timeoutMs);
              dead = true;
              keepalive.stop();
            },
          },
          time,
        );
        for (const { kind, ms } of script) {
          if (dead) return expect(time.pending).toBe(0);
          if (kind === 'calls' && !busy) {
            busy = true;
            // Silence counts from here, unless the calls before went unanswered too.
            if (heardSinceCalls) heardMs = time.now();
            heardSinceCalls = false;
            keepalive.callsBegan();
          } else if (kind === 'none' && busy) {
            busy = false;
            keepalive.callsEnded();
          } else if (kind === 'bytes' && busy) {
            heardMs = time.now();
            heardSinceCalls = true;
            keepalive.received();
          }
          if (kind === 'time') time.advance(ms);
          expect(time.pending).toBeLessThanOrEqual(1);
        }
        if (!dead && busy) {
          time.advance(options.intervalMs + options.timeoutMs + 1);
          if (!answers) expect(dead || lastPingMs > heardMs).toBe(true);
        }
      }),
    );
  });
});

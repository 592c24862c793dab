import { Prober, type ServerCondition } from '../../lib/endpoint/prober.js';
import { FakeClock } from '../support/fake-clock.js';

export const healthy: ServerCondition = { healthy: true };
export const ill: ServerCondition = { healthy: false, reason: 'no rootcoord' };

/** A prober, and a server that is asked when the test's clock says so. */
export class ProberRun {
  readonly clock = new FakeClock();
  readonly startedAt = this.clock.now();
  /** When the server was asked, in ms after the last time, and with which limit. */
  readonly pauses: number[] = [];
  readonly limits: number[] = [];
  readonly learned: [ServerCondition, askedAt: number][] = [];
  /** What the server says; `'hangs'`: nothing until the test does. */
  condition: ServerCondition | undefined | 'hangs' = healthy;
  idle = false;
  unsure = false;
  wanted = false;
  random = 0.5;
  answer: (condition: ServerCondition | undefined) => void = () => {};
  readonly prober: Prober;
  private lastAt = this.startedAt;

  constructor(options = { intervalMs: 10_000, timeoutMs: 2_000 }) {
    const run = this;
    const ask = (timeoutMs: number) => {
      run.limits.push(timeoutMs);
      run.pauses.push(run.clock.now() - run.lastAt);
      run.lastAt = run.clock.now();
      const { condition } = run;
      if (condition !== 'hangs') return Promise.resolve(condition);
      return new Promise<ServerCondition | undefined>(resolve => {
        run.answer = resolve;
      });
    };
    const owner = {
      get idle() {
        return run.idle;
      },
      get unsure() {
        return run.unsure;
      },
      wanted: () => run.wanted,
      learned: (...what: [ServerCondition, number]) => run.learned.push(what),
    };
    this.prober = new Prober(options, ask, owner, this.clock, () => this.random);
  }

  /** Until the next question. */
  async next(): Promise<number> {
    await this.clock.advanceAsync(this.clock.nextInMs!);
    return this.pauses.at(-1)!;
  }

  async nexts(count: number): Promise<number[]> {
    for (let i = 0; i < count; i += 1) await this.next();
    return this.pauses.slice(-count);
  }
}

export function started(options?: { intervalMs: number; timeoutMs: number }): ProberRun {
  const run = new ProberRun(options);
  run.prober.start();
  return run;
}

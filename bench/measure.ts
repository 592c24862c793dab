import { setTimeout as sleep } from 'node:timers/promises';
import { Overtakes } from '../test/support/overtakes.js';

export interface LoadOptions {
  call(): Promise<unknown>;
  /** Callers, each with one call after the other. */
  inFlight: number;
  durationMs: number;
  /** Before anything counts; a fifth of `durationMs` when absent. */
  warmUpMs?: number;
}

/** What one load cost, seen from the client. */
export interface Load {
  opsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of this process, per call. */
  cpuUsPerCall: number;
  /** The most later calls that ended before one that began earlier. */
  overtakenBy: number;
}

/** Keeps callers going, and looks at the calls that end within `durationMs`. */
export async function measureLoad(options: LoadOptions): Promise<Load> {
  const { call, inFlight, durationMs, warmUpMs = durationMs / 5 } = options;
  // The garbage of whoever was measured before is not this one's. With node --expose-gc.
  globalThis.gc?.();
  const latencies: number[] = [];
  const overtakes = new Overtakes();
  let overtakenBy = 0;
  let measuring = false;
  let over = false;
  const caller = async () => {
    for (let startedAt = performance.now(); !over; ) {
      const turn = overtakes.began();
      await call();
      const endedAt = performance.now();
      const overtaken = overtakes.ended(turn);
      if (measuring) {
        latencies.push(endedAt - startedAt);
        overtakenBy = Math.max(overtakenBy, overtaken);
      }
      startedAt = endedAt;
    }
  };
  const callers = Array.from({ length: inFlight }, caller);
  const allDone = Promise.all(callers);
  await Promise.race([sleep(warmUpMs), allDone]);
  measuring = true;
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.race([sleep(durationMs), allDone]);
  measuring = false;
  over = true;
  const { user, system } = process.cpuUsage(cpuBefore);
  const seconds = (performance.now() - startedAt) / 1000;
  await allDone;
  latencies.sort((a, b) => a - b);
  return {
    opsPerSecond: latencies.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuUsPerCall: (user + system) / latencies.length,
    overtakenBy,
  };
}

/**
 * Measures several in turns, so that what else the machine does hits all alike: many short rounds are better than a few
 * long ones. Of each the medians over the faster half of its rounds, which are those that were left in peace.
 */
export async function measureInTurns(loads: LoadOptions[], rounds: number): Promise<Load[]> {
  const measured = loads.map((): Load[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, load] of loads.entries()) measured[index]!.push(await measureLoad(load));
  }
  return measured.map(medians);
}

/** How `measureInTurns` comes to its figures, for people. */
export function inTurns(rounds: number, durationMs: number): string {
  return `Medians of the faster half of ${rounds} rounds of ${durationMs / 1000} s, in turns`;
}

function medians(loads: Load[]): Load {
  const faster = loads.sort((a, b) => b.opsPerSecond - a.opsPerSecond).slice(0, Math.ceil(loads.length / 2));
  const medianOf = (key: keyof Load) =>
    percentile(
      faster.map(load => load[key]).sort((a, b) => a - b),
      0.5,
    );
  return {
    opsPerSecond: medianOf('opsPerSecond'),
    p50Ms: medianOf('p50Ms'),
    p99Ms: medianOf('p99Ms'),
    cpuUsPerCall: medianOf('cpuUsPerCall'),
    overtakenBy: medianOf('overtakenBy'),
  };
}

/** @param sorted ascending */
export function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A GitHub table. */
export function table(head: string[], rows: Array<Array<string | number>>): string {
  const line = (cells: Array<string | number>) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

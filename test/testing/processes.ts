import { execFileSync } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';

/** A zombie does not count: it has ended, its parent has not looked yet. */
export function isRunning(pid: number): boolean {
  return !['', 'Z'].includes(ps('stat', pid).slice(0, 1));
}

export function processGroupOf(pid: number): number {
  return Number(ps('pgid', pid));
}

/** For what no event tells, such as the end of a process that is not a child. */
export async function until(condition: () => boolean, timeoutMs = 30_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Not so within ${timeoutMs} ms: ${condition}`);
    await delay(20);
  }
}

function ps(column: string, pid: number): string {
  try {
    return execFileSync('ps', ['-o', `${column}=`, '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}

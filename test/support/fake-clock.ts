import type { Clock, Scheduled } from '../../lib/resilience/clock.js';

interface Task {
  run: () => void;
  atMs: number;
  keepsAlive: boolean;
}

/** Time that passes only when a test says so. */
export class FakeClock implements Clock {
  private time = 1_000;
  private readonly tasks = new Set<Task>();

  /** Tasks that are scheduled and have neither run nor been cancelled. */
  get pending(): number {
    return this.tasks.size;
  }

  /** Of them, how many would keep the process from exiting. */
  get keepingAlive(): number {
    return [...this.tasks].filter(({ keepsAlive }) => keepsAlive).length;
  }

  /** Milliseconds until the next task is due. */
  get nextInMs(): number | undefined {
    const next = this.next();
    return next && Math.max(0, next.atMs - this.time);
  }

  now(): number {
    return this.time;
  }

  schedule(run: () => void, delayMs: number, keepsAlive = false): Scheduled {
    // As setTimeout does: a delay that is not a number, or none, is the shortest there is.
    const task: Task = { run, atMs: this.time + Math.max(0, delayMs || 0), keepsAlive };
    this.tasks.add(task);
    return {
      cancel: () => this.tasks.delete(task),
      keepAlive: yes => {
        task.keepsAlive = yes;
      },
    };
  }

  /** Lets `ms` pass, and runs what falls due on the way, each at its own time. */
  advance(ms: number): void {
    const end = this.time + ms;
    for (let task = this.next(); task && task.atMs <= end; task = this.next()) this.run(task);
    this.time = end;
  }

  /** As {@link advance}, but lets promises settle after every task. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.time + ms;
    await settled();
    for (let task = this.next(); task && task.atMs <= end; task = this.next()) {
      this.run(task);
      await settled();
    }
    this.time = end;
  }

  private next(): Task | undefined {
    let first: Task | undefined;
    for (const task of this.tasks) if (!first || task.atMs < first.atMs) first = task;
    return first;
  }

  private run(task: Task): void {
    this.tasks.delete(task);
    this.time = Math.max(this.time, task.atMs);
    task.run();
  }
}

/** Resolves when promises that were about to settle have done so. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await null;
}

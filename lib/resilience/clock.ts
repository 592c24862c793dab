/** Handle of a pending {@link Clock.schedule}. */
export interface Scheduled {
  cancel(): void;
  /** Whether it keeps the process from exiting from now on. */
  keepAlive(yes: boolean): void;
}

/** Time as the state machines of this package see it; tests pass one that they move by hand. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never jumps when the wall clock is set. */
  now(): number;
  /**
   * Runs `task` after `delayMs`. Only with `keepAlive`, meant for when a caller waits for it, does the pending task
   * keep the process from exiting.
   */
  schedule(task: () => void, delayMs: number, keepAlive?: boolean): Scheduled;
}

/** Node's longest timer, 24 days; it runs a longer one at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(task, delayMs, keepAlive = false) {
    const timer = setTimeout(task, Math.min(delayMs, LONGEST_TIMER_MS));
    if (!keepAlive) timer.unref();
    return {
      cancel: () => clearTimeout(timer),
      keepAlive: yes => void (yes ? timer.ref() : timer.unref()),
    };
  },
};

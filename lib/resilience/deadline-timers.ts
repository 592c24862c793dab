import { type Clock, type Scheduled, systemClock } from './clock.js';

/** Something that ends when its time is up. */
export interface Expiring {
  /** By the clock, in ms. */
  readonly expiresAt: number;
  expire(): void;
}

/**
 * The timers of calls. Most calls have one of a few durations, and end long before: those of one duration share a timer
 * of Node, because one for each call would cost as much as the rest of what we do for it.
 */
export class DeadlineTimers {
  /** By duration; made when there is the first item: most of a thousand clients have none for long. */
  private readonly queues = new Map<number, DeadlineQueue>();
  private readonly others = new Map<Expiring, Scheduled>();

  /** @param durationsMs the usual ones */
  constructor(
    private readonly durationsMs: readonly number[],
    private readonly clock: Clock = systemClock,
  ) {}

  /** Keeps the process alive until the item is stopped or expires: somebody waits for it. */
  start(item: Expiring, durationMs: number): void {
    const queue = this.queues.get(durationMs) ?? this.newQueue(durationMs);
    if (queue) return queue.add(item, durationMs);
    const expire = () => {
      this.others.delete(item);
      item.expire();
    };
    this.others.set(item, this.clock.schedule(expire, durationMs, true));
  }

  stop(item: Expiring, durationMs: number): void {
    const queue = this.queues.get(durationMs);
    if (queue) return queue.delete(item);
    this.others.get(item)?.cancel();
    this.others.delete(item);
  }

  private newQueue(durationMs: number): DeadlineQueue | undefined {
    if (!this.durationsMs.includes(durationMs)) return undefined;
    const queue = new DeadlineQueue(this.clock);
    this.queues.set(durationMs, queue);
    return queue;
  }

  /** Leaves no timer. Whatever is started later gets one again. */
  close(): void {
    for (const queue of this.queues.values()) queue.close();
  }
}

/** Items of one duration: the one that came first expires first. */
class DeadlineQueue {
  private readonly items = new Set<Expiring>();
  private timer?: Scheduled;

  constructor(private readonly clock: Clock) {}

  add(item: Expiring, durationMs: number): void {
    this.items.add(item);
    if (!this.timer) this.wait(durationMs);
    else if (this.items.size === 1) this.timer.keepAlive(true);
  }

  delete(item: Expiring): void {
    // The timer stays, for the next one; alone it keeps no process alive.
    if (this.items.delete(item) && this.items.size === 0) this.timer?.keepAlive(false);
  }

  close(): void {
    if (this.items.size > 0) return;
    this.timer?.cancel();
    this.timer = undefined;
  }

  private wait(delayMs: number): void {
    // An item that expires may have been followed by another at once.
    this.timer?.cancel();
    this.timer = this.clock.schedule(() => this.look(), delayMs, true);
  }

  private look(): void {
    this.timer = undefined;
    for (const item of this.items) {
      const leftMs = item.expiresAt - this.clock.now();
      // Node fires timers up to 1 ms early.
      if (leftMs > 1) return this.wait(leftMs);
      this.items.delete(item);
      item.expire();
    }
  }
}

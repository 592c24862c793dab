import { type Clock, systemClock } from '../resilience/clock.js';
import type { ClientLog } from './client-log.js';

/** From one line to the next while clients wait for their server, in ms. */
const PAUSE_MS = 30_000;

/** What keeps clients from starting: told at the first failure, and every 30 s as long as it lasts. */
export class WaitingLog {
  private readonly waiting = new Set<string>();
  private tries = 0;
  private toldAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly clock: Clock = systemClock) {}

  failed(client: string, log: ClientLog, error: Error): void {
    this.waiting.add(client);
    this.tries++;
    const now = this.clock.now();
    if (now - this.toldAt < PAUSE_MS) return;
    log.waiting(error, this.tries, [...this.waiting]);
    this.toldAt = now;
    this.tries = 0;
  }

  /** The client waits no more; the next time begins anew when none does. */
  over(client: string): void {
    this.waiting.delete(client);
    if (this.waiting.size > 0) return;
    this.tries = 0;
    this.toldAt = Number.NEGATIVE_INFINITY;
  }
}

import { type BackoffOptions, backoffDelayMs } from '../resilience/backoff.js';
import type { Clock, Scheduled } from '../resilience/clock.js';

/** What the server says of itself, or that it says nothing. */
export type ServerCondition =
  | { readonly healthy: true }
  /** `silent`: it did not say so itself, it said nothing. */
  | { readonly healthy: false; readonly reason: string; readonly silent?: boolean };

/** Asks the server once; never rejects. `undefined`: nothing was learned. */
export type AskServer = (timeoutMs: number) => Promise<ServerCondition | undefined>;

export interface ProberOptions {
  intervalMs: number;
  timeoutMs: number;
}

/** Whom the prober asks for. */
export interface ProberOwner {
  /** Nobody needs a connection: one must not be opened only to ask. */
  readonly idle: boolean;
  /** Whether its next word decides something. */
  readonly unsure: boolean;
  /** Whether somebody has called, or wanted to, since this was asked last. */
  wanted(): boolean;
  /** @param askedAt when */
  learned(condition: ServerCondition, askedAt: number): void;
}

/** How often a healthy server is asked may vary by so much, so that many processes do not ask in step. */
const INTERVAL_JITTER = 0.1;

/** While the server is away and somebody wants it, it is asked at least twice a second, so that its return is seen within that. */
const WHILE_WANTED: BackoffOptions = { initialDelayMs: 100, maxDelayMs: 500, multiplier: 2, jitter: 'equal' };

/** The step of that pace at which its pauses grow no more. */
const PATIENT_STEP = 3;

/** Asks the server how it is: now and then while it works, and more often while it does not. One question at a time. */
export class Prober {
  private timer?: Scheduled;
  private dueAt = Number.POSITIVE_INFINITY;
  private started = false;
  private stopped = false;
  private failures = 0;

  constructor(
    private readonly options: ProberOptions,
    private readonly ask: AskServer,
    private readonly owner: ProberOwner,
    private readonly clock: Clock,
    private readonly random: () => number,
  ) {}

  /** Begins to ask; the first time after a while, because whoever starts has just been in touch with the server. */
  start(): void {
    if (this.started) return;
    this.started = true;
    this.plan();
  }

  /** Something is wrong, or somebody waits for it to be right again: asks soon. */
  hurry(): void {
    if (!this.started || this.dueAt - this.clock.now() <= WHILE_WANTED.maxDelayMs) return;
    // One that has just said that it is well is not pressed.
    this.plan(backoffDelayMs(WHILE_WANTED, PATIENT_STEP, this.random()));
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
  }

  private plan(pauseMs = this.pauseMs()): void {
    this.timer?.cancel();
    if (this.stopped) return;
    this.dueAt = this.clock.now() + pauseMs;
    this.timer = this.clock.schedule(() => void this.look(), pauseMs);
  }

  private pauseMs(): number {
    const { intervalMs } = this.options;
    if (this.failures === 0 && this.owner.unsure) {
      return Math.min(intervalMs, backoffDelayMs(WHILE_WANTED, PATIENT_STEP, this.random()));
    }
    if (this.failures === 0) return intervalMs * (1 - INTERVAL_JITTER + 2 * INTERVAL_JITTER * this.random());
    const pace = this.owner.wanted() ? WHILE_WANTED : { ...WHILE_WANTED, maxDelayMs: intervalMs };
    return Math.min(intervalMs, backoffDelayMs(pace, this.failures - 1, this.random()));
  }

  private async look(): Promise<void> {
    if (!this.owner.idle) {
      const askedAt = this.clock.now();
      const condition = await this.ask(this.options.timeoutMs);
      if (this.stopped) return;
      if (condition) {
        this.failures = condition.healthy ? 0 : this.failures + 1;
        this.owner.learned(condition, askedAt);
      }
    }
    this.plan();
  }
}

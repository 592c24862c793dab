import type { Clock, Scheduled } from '../resilience/clock.js';
import { ConnectError } from '../transport/connect-error.js';
import { OpenSchedule } from './open-schedule.js';

/** Opens one connection. Rejects with a {@link ConnectError} and nothing else. */
export type Connector<Connection> = (signal: AbortSignal) => Promise<Connection>;

/** Whom connections are opened for. */
export interface OpenerOwner<Connection> {
  /** Whether another connection is wanted, and whether somebody waits for it. */
  wanted(): 'urgently' | 'yes' | 'no';
  /**
   * Puts it in its place: at once, or when it was looked at.
   *
   * @throws ConnectError when it is of no use
   */
  opened(connection: Connection, tookMs: number): Promise<void> | void;
  failed(error: ConnectError): void;
  /** The try is over, or the pause after it: another one may be wanted. */
  changed(): void;
}

/** Opens connections, one at a time: what the last one brought is known before the next is asked for. */
export class Opener<Connection> {
  /** Why the latest try failed, as long as a connection is missing for it. */
  lastError?: ConnectError;
  private readonly schedule: OpenSchedule;
  private readonly noLongerNeeded = new AbortController();
  /** When the try began that is under way. */
  private since?: number;
  private retry?: Scheduled;

  constructor(
    private readonly owner: OpenerOwner<Connection>,
    private readonly connect: Connector<Connection>,
    private readonly clock: Clock,
    random: () => number,
  ) {
    this.schedule = new OpenSchedule(random);
  }

  get opening(): boolean {
    return this.since !== undefined;
  }

  /** Whether it is opening one, or will after a pause. */
  get active(): boolean {
    return this.opening || this.retry !== undefined;
  }

  /** How long the try has lasted that is under way, in ms. */
  get tryingForMs(): number | undefined {
    return this.since === undefined ? undefined : this.clock.now() - this.since;
  }

  /** A connection broke by itself. */
  broke(ageMs: number): void {
    this.schedule.broke(this.clock.now(), ageMs);
  }

  /**
   * Opens a connection if one is wanted, now or when it may.
   *
   * @returns whether one is
   */
  look(): boolean {
    if (this.opening || this.noLongerNeeded.signal.aborted) return this.opening;
    this.retry?.cancel();
    this.retry = undefined;
    const wanted = this.owner.wanted();
    if (wanted === 'no') return false;
    const delayMs = this.schedule.delayMs(this.clock.now(), wanted === 'urgently');
    if (delayMs > 0) this.retry = this.clock.schedule(() => this.owner.changed(), delayMs);
    else void this.open();
    return true;
  }

  /** Somebody asks for it: without a pause. */
  now(): void {
    this.schedule.forget();
    this.look();
  }

  stop(): void {
    this.retry?.cancel();
    this.noLongerNeeded.abort();
  }

  private async open(): Promise<void> {
    const since = this.clock.now();
    this.since = since;
    try {
      const connection = await this.connect(this.noLongerNeeded.signal);
      const examined = this.owner.opened(connection, this.clock.now() - since);
      if (examined) await examined;
      this.since = undefined;
      this.lastError = undefined;
      this.schedule.opened();
    } catch (error) {
      this.since = undefined;
      this.onFailed(error as ConnectError);
    }
    this.owner.changed();
  }

  private onFailed(error: ConnectError): void {
    if (this.noLongerNeeded.signal.aborted) return;
    this.lastError = error;
    this.schedule.failed(this.clock.now());
    this.owner.failed(error);
  }
}

import type { Clock, Scheduled } from '../resilience/clock.js';

export interface KeepaliveOptions {
  /** Silence of the peer after which it is asked, in ms. */
  intervalMs: number;
  /** Time it has to answer, in ms. */
  timeoutMs: number;
  /** Whether to ask also while no call is in flight. */
  withoutCalls: boolean;
}

export interface KeepalivePeer {
  /** Sends an HTTP/2 PING; {@link Keepalive.received} is called when its answer comes. */
  ping(): void;
  /** The peer did not answer in time. */
  dead(): void;
}

/**
 * Finds a peer that is gone without having said so (a pulled cable, a dropped NAT entry, a frozen process). Asks only
 * after silence, and only while calls are in flight: servers punish clients that ping idle connections.
 */
export class Keepalive {
  private busy = false;
  private quietSince = 0;
  private asked = false;
  /** Whether anything arrived since the last calls began. */
  private heard = true;
  private timer?: Scheduled;

  constructor(
    private readonly options: KeepaliveOptions,
    private readonly peer: KeepalivePeer,
    private readonly clock: Clock,
  ) {
    if (options.withoutCalls) {
      this.quietSince = clock.now();
      this.wait(options.intervalMs);
    }
  }

  /** The first call in flight began. */
  callsBegan(): void {
    this.busy = true;
    // Idle time is no silence. But calls that come one after the other and all go unanswered are one silence.
    if (this.heard) this.quietSince = this.clock.now();
    this.heard = false;
    if (!this.timer) this.wait(Math.max(0, this.quietSince + this.options.intervalMs - this.clock.now()));
  }

  /** The last call in flight ended. */
  callsEnded(): void {
    this.busy = false;
  }

  /** Asks now, not only after silence: there is a doubt. */
  ask(): void {
    if (this.asked) return;
    this.asked = true;
    this.timer?.cancel();
    this.peer.ping();
    this.wait(this.options.timeoutMs);
  }

  /** Bytes of the peer arrived: it lives. */
  received(): void {
    this.quietSince = this.clock.now();
    this.heard = true;
    this.asked = false;
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = undefined;
  }

  private wait(delayMs: number): void {
    this.timer = this.clock.schedule(() => this.look(), delayMs);
  }

  private look(): void {
    this.timer = undefined;
    // A timer that is late because this process stood still comes before what arrived meanwhile: look at that first.
    if (this.asked) {
      this.timer = this.clock.schedule(() => this.conclude(), 0);
      return;
    }
    // One timer per connection, not one per byte: it looks, and goes on waiting for what is left.
    const leftMs = this.quietSince + this.options.intervalMs - this.clock.now();
    if (leftMs > 0) {
      if (this.watching) this.wait(leftMs);
      return;
    }
    if (this.watching) this.ask();
  }

  private conclude(): void {
    this.timer = undefined;
    if (this.asked) this.peer.dead();
    else this.look();
  }

  private get watching(): boolean {
    return this.busy || this.options.withoutCalls;
  }
}

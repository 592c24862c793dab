import type { PoolObserver, PoolState } from '../telemetry/pool-telemetry.js';
import type { PooledConnection } from './member.js';
import type { Opener } from './opener.js';
import type { Roster } from './roster.js';

/** Which state a pool is in, and when everything of it is gone. */
export class Lifecycle<Connection extends PooledConnection> {
  /** Nobody is admitted any more. */
  closing = false;
  private reported: PoolState = 'idle';
  private readonly waiting: Array<() => void> = [];

  constructor(
    private readonly roster: Roster<Connection>,
    private readonly opener: Opener<Connection>,
    private readonly observer: PoolObserver,
  ) {}

  get state(): PoolState {
    if (this.closing) return this.gone ? 'closed' : 'draining';
    const { shared } = this.roster;
    if (shared.length > 0) {
      const some = this.opener.lastError || shared.some(({ trust }) => trust.resting);
      return some ? 'degraded' : 'ready';
    }
    if (this.opener.lastError) return 'unavailable';
    return this.opener.active ? 'connecting' : 'idle';
  }

  /** Tells of a new state, once. */
  report(): void {
    const from = this.reported;
    const to = this.state;
    if (from === to) return;
    this.reported = to;
    this.observer.stateChanged(from, to);
  }

  /** Resolves when every connection is gone. */
  whenGone(): Promise<void> {
    return new Promise(resolve => {
      this.waiting.push(resolve);
      this.tellIfGone();
    });
  }

  tellIfGone(): void {
    if (!this.gone) return;
    this.report();
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private get gone(): boolean {
    return this.closing && !this.opener.opening && this.roster.members.size === 0;
  }
}

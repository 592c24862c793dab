import { PoolFailure } from '../../../lib/pool/pool-failure.js';
import type { CloseReason } from '../../../lib/telemetry/pool-telemetry.js';
import { settled } from '../../support/fake-clock.js';
import { FakeConnection } from '../../support/fake-connection.js';
import { type Guest, type Holder, PoolRun, type PoolSettings } from '../pool-run.js';
import type { Step } from './steps.js';
import { TryWatch } from './try-watch.js';

/** What somebody was told who asked for a reconnect. */
interface Renewed {
  /** What was shared then. */
  before: FakeConnection[];
  outcome?: 'done' | unknown;
}

/** A pool to which random things happen. */
export class RandomRun extends PoolRun {
  readonly watch = new TryWatch(this);
  /** Dead without anybody having been told. */
  readonly unnoticed = new Set<FakeConnection>();
  /** A connection that was opened to take another one's place, and is being looked at. */
  examined?: FakeConnection;
  readonly renewals: Renewed[] = [];
  /** Why each connection must have left, as far as it was not the pool's own doing. */
  private readonly expectedReasons = new Map<FakeConnection, 'failed' | 'goaway'>();
  started = false;
  windingDown = false;
  closing = false;

  constructor(settings: PoolSettings, random: number) {
    super(settings, () => random);
  }

  /** Connections with a socket. */
  get alive(): FakeConnection[] {
    return this.network.connections.filter(({ closed }) => !closed);
  }

  /** Connections that calls share, by the test's own account. */
  get shared(): FakeConnection[] {
    const leased = this.held.map(({ connection }) => connection);
    return this.alive.filter(
      each => each.closeReason === undefined && each !== this.examined && !leased.includes(each),
    );
  }

  async windDown(): Promise<void> {
    this.windingDown = true;
    await this.after(() => this.pool.windDown());
  }

  /** Who waits can be helped by nothing but another connection. */
  get callsNeedAnother(): boolean {
    const { shared, settings, windingDown } = this;
    if (this.waiting.length === 0 || shared.length >= settings.maxConnections) return false;
    if (!windingDown) return true;
    // Room comes of calls that end, and what is gone says so in a moment.
    return shared.every(({ inFlight, beingChecked, open }) => beingChecked || (inFlight === 0 && open));
  }

  get leasesNeedAnother(): boolean {
    return this.waitingForLease.length > 0 && this.held.length < this.settings.maxLeases;
  }

  /** How many connections it is to have when nobody needs any. */
  get minShared(): number {
    return this.started && !this.windingDown ? this.settings.minConnections : 0;
  }

  override looksAtTry(): void {
    if (!this.windingDown || this.callsNeedAnother || this.leasesNeedAnother) return;
    // That one is gone may be found out at once when it is asked.
    if (this.waiting.length > 0 && this.shared.some(({ open }) => !open)) return;
    this.wrongs.push('winds down, and opens a connection that nobody waits for');
  }

  async apply(step: Step): Promise<void> {
    await this.perform(step);
    await settled();
    this.sweep();
    await settled();
    this.watch.look();
  }

  private perform(step: Step): Promise<void> | void {
    const { network } = this;
    switch (step.kind) {
      case 'start':
        this.started = true;
        return this.pool.start();
      case 'acquire':
        return this.ask(() => this.acquire(step.limitMs));
      case 'call ends':
        return pick(this.inFlight, step.which)?.ends(step.verdict);
      case 'leave':
        return pick(this.guests, step.which)?.leave();
      case 'come again': {
        const guest = pick(
          this.inFlight.filter(({ connection }) => !connection!.open),
          step.which,
        );
        return guest && this.ask(() => guest.comesAgain(step.limitMs));
      }
      case 'opened':
        return this.opened(step);
      case 'refused':
        if (network.trying.length === 0) return;
        this.watch.failed();
        return network.fail(step.failure);
      case 'breaks': {
        const connection = pick(this.alive, step.which);
        return connection && this.breaks(connection);
      }
      case 'dies unnoticed': {
        const connection = pick(network.open, step.which);
        if (!connection) return;
        this.unnoticed.add(connection);
        return connection.die();
      }
      case 'goaway': {
        const connection = pick(network.open, step.which);
        return connection && this.goaway(connection);
      }
      case 'settings':
        return pick(network.open, step.which)?.changeMaxStreams(step.maxStreams);
      case 'check is answered': {
        const asked = this.alive.filter(({ beingChecked }) => beingChecked);
        const connection = pick(asked, step.which);
        return connection?.answerChecks(step.alive && !this.unnoticed.has(connection));
      }
      case 'later checks': {
        const connection = pick(this.alive, step.which);
        if (connection) connection.onCheck = step.onCheck;
        return;
      }
      case 'reconnect':
        return this.reconnect();
      case 'lease':
        return this.ask(() => this.lease(step.limitMs));
      case 'holder leaves':
        return pick(this.holders, step.which)?.leave();
      case 'release':
        return pick(this.held, step.which)?.release();
      case 'release twice': {
        const holder = pick(
          this.holders.filter(({ released }) => released),
          step.which,
        );
        return holder && this.releaseAgain(holder);
      }
      case 'lease is used': {
        const holder = pick(
          this.holders.filter(({ lease }) => lease),
          step.which,
        );
        return holder && this.useLease(holder, step.limitMs);
      }
      case 'time':
        return this.clock.advanceAsync(step.ms);
      case 'a second':
        return this.clock.advanceAsync(1_000);
    }
  }

  /** From here on everything goes well: who waits is served, and the pool comes to rest. */
  async calm(): Promise<void> {
    for (const connection of [...this.unnoticed]) {
      if (!connection.closed) await this.after(() => this.breaks(connection));
    }
    for (let round = 0; round === 0 || (round < 200 && !this.quiet); round += 1) {
      const opened = {
        kind: 'opened' as const,
        maxStreams: 10,
        fate: 'lives' as const,
        onCheck: true as const,
      };
      for (const connection of this.alive) {
        connection.onCheck = true;
        connection.answerChecks(true);
        if (connection.maxStreams === 0) connection.changeMaxStreams(10);
      }
      for (const guest of this.inFlight) await this.after(() => guest.ends('answered'));
      for (const holder of this.held) await this.after(() => holder.release());
      await this.apply(opened);
      await this.clock.advanceAsync(100);
    }
  }

  /** What was told of each that closed; of those that did not close by the pool's will, the true reason. */
  closedByReason(): Record<CloseReason, number> {
    const counts = { idle: 0, lifetime: 0, reconnect: 0, released: 0, failed: 0, goaway: 0, drain: 0 };
    for (const event of this.events) {
      const [, reason] = /^closed: (.+)$/.exec(event) ?? [];
      if (reason) counts[reason as CloseReason] += 1;
    }
    const gone = [...this.expectedReasons].filter(([{ closed }]) => closed).map(([, reason]) => reason);
    const goaway = gone.filter(reason => reason === 'goaway').length;
    const failed = Math.max(counts.failed, gone.length - goaway);
    return { ...counts, goaway, failed };
  }

  get inFlight(): Guest[] {
    return this.guests.filter(({ inFlight }) => inFlight);
  }

  breaks(connection: FakeConnection): void {
    if (connection.closeReason === undefined) {
      this.watch.ends(connection);
      this.expectedReasons.set(connection, 'failed');
    }
    this.unnoticed.delete(connection);
    connection.break();
  }

  /** Tells the pool of calls that ended with their connection. */
  sweep(): void {
    for (const guest of this.inFlight) if (guest.connection!.closed) guest.lost();
    if (!this.examined?.beingChecked) this.examined = undefined;
  }

  private get quiet(): boolean {
    const { network, shared } = this;
    const unfinished = [
      this.inFlight,
      this.held,
      this.waiting,
      this.waitingForLease,
      this.underWay,
      network.trying,
    ];
    if (shared.length < this.minShared) return false;
    if (this.alive.some(({ beingChecked }) => beingChecked)) return false;
    return unfinished.every(({ length }) => length === 0);
  }

  private async after(work: () => void): Promise<void> {
    work();
    await settled();
    this.sweep();
    this.watch.look();
  }

  private ask(ask: () => void): void {
    ask();
    this.started ||= this.waiting.length > 0;
    // A limit of 0 is reached with the next tick of the clock.
    this.clock.advance(0);
  }

  private async opened({ maxStreams, fate, onCheck }: Extract<Step, { kind: 'opened' }>): Promise<void> {
    if (this.network.trying.length === 0) return;
    const connection = new FakeConnection(maxStreams, this.clock);
    connection.onCheck = onCheck;
    this.watch.opened(connection);
    if (fate === 'broken') this.breaks(connection);
    if (fate === 'leaving') this.goaway(connection);
    this.network.succeed(connection);
    await settled();
    const { creating } = this.pool.stats().connections;
    if (creating === 1 && this.network.trying.length === 0 && connection.beingChecked) {
      this.examined = connection;
    }
  }

  private goaway(connection: FakeConnection): void {
    this.watch.ends(connection);
    this.expectedReasons.set(connection, 'goaway');
    connection.goaway();
  }

  private reconnect(): void {
    const renewed: Renewed = { before: this.shared };
    if (this.underWay.length > 0) renewed.before = [];
    this.renewals.push(renewed);
    if (!this.windingDown) this.watch.forget();
    this.pool.reconnect().then(
      () => {
        renewed.outcome = 'done';
        const stayed = renewed.before.filter(each => this.shared.includes(each));
        if (stayed.length > 0) this.wrongs.push('renewed, but an old one is still shared');
      },
      error => {
        renewed.outcome = error;
        if (!(error instanceof PoolFailure)) this.wrongs.push(`reconnect() failed with ${error}`);
      },
    );
  }

  get underWay(): Renewed[] {
    return this.renewals.filter(({ outcome }) => outcome === undefined);
  }

  private releaseAgain(holder: Holder): void {
    const before = JSON.stringify(this.pool.stats());
    holder.release();
    if (JSON.stringify(this.pool.stats()) !== before) this.wrongs.push('a second release did something');
  }

  private useLease(holder: Holder, limitMs: number): void {
    const open = holder.held && holder.connection!.open;
    this.ask(() => {
      const { fate, reason } = holder.acquire(limitMs);
      const expected = holder.released ? 'released' : open ? undefined : 'lease-lost';
      if (expected && (fate !== 'failed' || reason !== expected)) {
        this.wrongs.push(`a call on a lease that is ${expected} ${fate}: ${reason}`);
      }
    });
  }
}

function pick<T>(list: readonly T[], index: number): T | undefined {
  return list.length === 0 ? undefined : list[index % list.length];
}

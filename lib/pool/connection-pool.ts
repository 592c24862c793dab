import type { EndpointOptions } from '../options/resolved-options.js';
import { type Clock, type Scheduled, systemClock } from '../resilience/clock.js';
import type { PoolObserver, PoolState, PoolStats } from '../telemetry/pool-telemetry.js';
import { ConnectError } from '../transport/connect-error.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import { OpenSchedule } from './open-schedule.js';
import { PoolFailure, type PoolFailureReason } from './pool-failure.js';
import { WaitingLine } from './waiting-line.js';

/** What the pool needs of a connection; an {@link Http2Connection} is one. */
export type PooledConnection = Pick<
  Http2Connection,
  'authority' | 'closeReason' | 'open' | 'inFlight' | 'maxStreams' | 'listen' | 'close' | 'destroy'
>;

/** Somebody who wants to send one RPC. One of the two is called, once. */
export interface PoolUser<Connection> {
  /** Sends on this connection, now: there is room for exactly this one. */
  use(connection: Connection): void;
  fail(failure: PoolFailure): void;
}

/** Opens one connection. Rejects with a {@link ConnectError} and nothing else. */
export type Connector<Connection> = (signal: AbortSignal) => Promise<Connection>;

/**
 * Another connection is opened when those there have more calls than this in flight on average: one serves a few calls
 * at once as well as several do.
 */
const GROW_AT_IN_FLIGHT = 8;

/** The connections of one endpoint, each shared by many calls, and the line of calls that wait for room on one. */
export class ConnectionPool<Connection extends PooledConnection> {
  private readonly connections = new Map<Connection, { openedAt: number }>();
  private readonly line: WaitingLine<PoolUser<Connection>>;
  private readonly schedule: OpenSchedule;
  private readonly noLongerNeeded = new AbortController();
  /** When the try to connect began that is under way. */
  private openingSince?: number;
  private started = false;
  private closing = false;
  private lastError?: ConnectError;
  private retry?: Scheduled;
  private reportedState: PoolState = 'idle';
  private whenGone: Array<() => void> = [];

  constructor(
    private readonly options: EndpointOptions['pool'],
    private readonly connect: Connector<Connection>,
    private readonly observer: PoolObserver,
    private readonly clock: Clock = systemClock,
    random: () => number = Math.random,
    /** What it connects to, for messages. */
    private readonly target = 'Milvus',
  ) {
    this.line = new WaitingLine(options.maxPending, clock);
    this.schedule = new OpenSchedule(random);
  }

  get state(): PoolState {
    if (this.closing) return this.gone ? 'closed' : 'draining';
    if (this.openConnections().length > 0) return this.lastError ? 'degraded' : 'ready';
    if (this.lastError) return 'unavailable';
    return this.started ? 'connecting' : 'idle';
  }

  stats(): PoolStats {
    const connections = [...this.connections.keys()];
    const idle = connections.filter(connection => connection.inFlight === 0).length;
    return Object.freeze({
      connections: Object.freeze({
        size: connections.length,
        idle,
        used: connections.length - idle,
        creating: this.opening ? 1 : 0,
        min: this.options.minConnections,
        max: this.options.maxConnections,
      }),
      inFlight: connections.reduce((sum, connection) => sum + connection.inFlight, 0),
      pending: this.line.pending,
    });
  }

  /** Opens `minConnections` in the background, and keeps them open from now on. */
  start(): void {
    this.started = true;
    this.openIfWanted();
    this.reportState();
  }

  /**
   * Gives the user a connection with room: at once if there is one, else in its turn.
   *
   * @param limitMs longest to wait; `acquireTimeoutMs` may be sooner
   * @returns takes the user out of the line; harmless once one of its functions was called
   */
  acquire(user: PoolUser<Connection>, limitMs: number): () => void {
    const connection = this.line.pending === 0 ? this.leastBusy() : undefined;
    if (!connection) return this.wait(user, Math.min(limitMs, this.options.acquireTimeoutMs));
    user.use(connection);
    if (connection.inFlight > GROW_AT_IN_FLIGHT) this.openIfWanted();
    return nothingToLeave;
  }

  /** What keeps those who wait from getting a connection. */
  whyNone(): PoolFailure {
    return this.failure(this.openConnections().length > 0 ? 'no-room' : 'unreachable');
  }

  /** Admits nobody any more and lets calls in flight end. Resolves when every connection is gone. */
  close(): Promise<void> {
    return this.shutDown(connection => connection.close());
  }

  /** As {@link close}, but ends calls in flight too. */
  destroy(): Promise<void> {
    return this.shutDown(connection => connection.destroy());
  }

  private wait(user: PoolUser<Connection>, limitMs: number): () => void {
    if (this.closing || this.line.full) {
      user.fail(this.failure(this.closing ? 'closed' : 'line-full'));
      return nothingToLeave;
    }
    this.line.join(user, limitMs, () => user.fail(this.whyNone()));
    this.start();
    return () => this.line.leave(user);
  }

  /** Of the connections with room the one with the fewest calls in flight. Servers differ in how many they take. */
  private leastBusy(): Connection | undefined {
    let best: Connection | undefined;
    for (const connection of this.connections.keys()) {
      if (this.hasRoom(connection) && (!best || connection.inFlight < best.inFlight)) best = connection;
    }
    return best;
  }

  private hasRoom(connection: Connection): boolean {
    const limit = Math.min(this.options.maxStreamsPerConnection, connection.maxStreams);
    return connection.open && connection.inFlight < limit;
  }

  private serveLine(connection: Connection): void {
    while (this.line.pending > 0 && this.hasRoom(connection)) this.line.next()?.use(connection);
  }

  private openIfWanted(): void {
    if (this.closing || this.opening) return;
    this.retry?.cancel();
    if (!this.wantsAnother()) return this.forgetError();
    const delayMs = this.schedule.delayMs(this.clock.now(), this.line.pending > 0);
    if (delayMs > 0) this.retry = this.clock.schedule(() => this.openIfWanted(), delayMs);
    else void this.open();
  }

  /** A try to grow failed, but what is open is enough again. */
  private forgetError(): void {
    if (!this.lastError || this.openConnections().length === 0) return;
    this.lastError = undefined;
    this.reportState();
  }

  /** One at a time: what the last one brought is known before the next is asked for. */
  private wantsAnother(): boolean {
    const open = this.openConnections();
    if (open.length < this.options.minConnections) return this.started;
    if (open.length >= this.options.maxConnections) return false;
    const inFlight = open.reduce((sum, connection) => sum + connection.inFlight, 0);
    return this.line.pending > 0 || inFlight > GROW_AT_IN_FLIGHT * open.length;
  }

  private get opening(): boolean {
    return this.openingSince !== undefined;
  }

  private async open(): Promise<void> {
    const startedAt = this.clock.now();
    this.openingSince = startedAt;
    try {
      const connection = await this.connect(this.noLongerNeeded.signal);
      this.openingSince = undefined;
      this.add(connection, startedAt);
    } catch (error) {
      this.openingSince = undefined;
      this.onConnectFailed(error as ConnectError);
    }
    this.openIfWanted();
    this.reportState();
  }

  private add(connection: Connection, startedAt: number): void {
    if (this.closing) connection.destroy();
    const openedAt = this.clock.now();
    this.connections.set(connection, { openedAt });
    this.schedule.opened();
    this.lastError = undefined;
    this.observer.connectionOpened(connection.authority, openedAt - startedAt);
    connection.listen({
      onRoom: () => this.serveLine(connection),
      onClosing: () => this.onClosing(connection),
      onClosed: () => this.onClosed(connection),
    });
    this.serveLine(connection);
  }

  private onConnectFailed(error: ConnectError): void {
    if (this.closing) return this.tellIfGone();
    this.lastError = error;
    this.schedule.failed(this.clock.now());
    this.observer.connectFailed(error);
    if (!error.permanent || this.openConnections().length > 0) return;
    // Waiting does not mend a certificate or a wrong port: say so at once.
    for (let user = this.line.next(); user; user = this.line.next()) user.fail(this.failure('unreachable'));
  }

  /** Its replacement is opened while its last calls are still in flight. */
  private onClosing(connection: Connection): void {
    const opened = this.connections.get(connection);
    if (this.closing || !opened) return;
    const now = this.clock.now();
    this.schedule.broke(now, now - opened.openedAt);
    this.openIfWanted();
    this.reportState();
  }

  private onClosed(connection: Connection): void {
    this.connections.delete(connection);
    this.observer.connectionClosed(connection.authority, connection.closeReason ?? 'closed');
    this.openIfWanted();
    this.reportState();
    this.tellIfGone();
  }

  private shutDown(end: (connection: Connection) => void): Promise<void> {
    this.closing = true;
    this.retry?.cancel();
    this.noLongerNeeded.abort();
    for (let user = this.line.next(); user; user = this.line.next()) user.fail(this.failure('closed'));
    for (const connection of this.connections.keys()) end(connection);
    this.reportState();
    return new Promise(resolve => {
      this.whenGone.push(resolve);
      this.tellIfGone();
    });
  }

  private get gone(): boolean {
    return this.closing && !this.opening && this.connections.size === 0;
  }

  private tellIfGone(): void {
    if (!this.gone) return;
    this.reportState();
    for (const resolve of this.whenGone.splice(0)) resolve();
  }

  private openConnections(): Connection[] {
    return [...this.connections.keys()].filter(connection => connection.open);
  }

  private reportState(): void {
    const from = this.reportedState;
    const to = this.state;
    if (from === to) return;
    this.reportedState = to;
    this.observer.stateChanged(from, to);
  }

  private failure(reason: PoolFailureReason): PoolFailure {
    const { connections, inFlight, pending } = this.stats();
    const snapshot = { size: connections.size, maxConnections: connections.max, inFlight, pending };
    return new PoolFailure(reason, snapshot, this.lastError ?? this.noAnswerYet());
  }

  /** There is no connection and no failure yet: whoever is there does not answer. */
  private noAnswerYet(): ConnectError | undefined {
    if (this.openingSince === undefined || this.openConnections().length > 0) return undefined;
    const waitedMs = Math.round(this.clock.now() - this.openingSince);
    const message = `${this.target}: no answer for ${waitedMs} ms, still trying`;
    return new ConnectError(message, 'timeout', 'Check host, port, firewall and network policies');
  }
}

const nothingToLeave = () => {};

import type { PooledConnection } from '../../lib/pool/member.js';
import type { Clock } from '../../lib/resilience/clock.js';
import { ConnectError, type ConnectFailure } from '../../lib/transport/connect-error.js';

type Listener = Parameters<PooledConnection['listen']>[0];

/** A connection without a wire, which tells its owner things in the order in which an Http2Connection does. */
export class FakeConnection implements PooledConnection {
  readonly authority = 'milvus:19530';
  closeReason?: string;
  inFlight = 0;
  /** Whether its owner was told that it is gone. */
  closed = false;
  saidGoaway = false;
  /** What a check says: at once whether it lives; or nothing, until `answerChecks` or the limit. */
  onCheck: boolean | 'waits' = true;
  /** How often it was checked. */
  checked = 0;
  /** How often a check said that it does not live. */
  foundDead = 0;
  /** When it was last known to live: it was opened, a call on it ended, a check was answered. */
  heardAtMs?: number;
  /** When the server last said how many calls it takes. */
  settingsAtMs?: number;
  /** Whether it was last heard at a check, and no call was sent since. */
  unused = false;
  private readonly checks = new Set<(alive: boolean) => void>();
  private died = false;
  private listener: Listener = {};

  constructor(
    public maxStreams = Number.POSITIVE_INFINITY,
    private readonly clock?: Clock,
  ) {
    this.hear();
  }

  get open(): boolean {
    return this.closeReason === undefined && !this.died;
  }

  listen(listener: Listener): void {
    this.listener = listener;
    if (this.closeReason !== undefined) listener.onClosing?.(this as never);
    if (this.closed) listener.onClosed?.(this as never);
  }

  /** A call begins. */
  send(): void {
    this.inFlight += 1;
    this.unused = false;
  }

  /** A call ends. */
  endCall(): void {
    if (this.inFlight === 0) throw new Error('no call is in flight');
    this.inFlight -= 1;
    this.hear();
    if (this.inFlight === 0 && this.closeReason !== undefined) this.hangUp();
    this.listener.onRoom?.(this as never);
  }

  check(limitMs: number): Promise<boolean> {
    this.checked += 1;
    if (this.onCheck !== 'waits' || this.died) {
      const alive = this.onCheck === true && !this.died;
      this.found(alive);
      return Promise.resolve(alive);
    }
    return new Promise(resolve => {
      const limit = this.clock?.schedule(() => settle(false), limitMs);
      const settle = (alive: boolean) => {
        limit?.cancel();
        this.checks.delete(settle);
        this.found(alive);
        resolve(alive);
      };
      this.checks.add(settle);
    });
  }

  /** Whether somebody waits for what a check says. */
  get beingChecked(): boolean {
    return this.checks.size > 0;
  }

  answerChecks(alive: boolean): void {
    for (const settle of this.checks) settle(alive);
  }

  /** The server takes more calls at once, or fewer, from now on. */
  changeMaxStreams(maxStreams: number): void {
    this.maxStreams = maxStreams;
    this.settingsAtMs = this.clock?.now();
    this.listener.onRoom?.(this as never);
  }

  /** The server sends GOAWAY: calls in flight go on. */
  goaway(): void {
    this.saidGoaway = true;
    this.startClosing('GOAWAY');
    if (this.inFlight === 0) this.hangUp();
  }

  /** The socket is gone, but not everybody has been told yet. */
  die(): void {
    this.died = true;
  }

  /** The socket is gone, and with it all calls. */
  break(): void {
    this.die();
    while (this.inFlight > 0) this.endCall();
    this.finish();
  }

  close(): void {
    this.startClosing('closed by the client');
    if (this.inFlight === 0) this.hangUp();
  }

  destroy(): void {
    this.startClosing('closed by the client');
    this.die();
    queueMicrotask(() => this.break());
  }

  private found(alive: boolean): void {
    if (!alive) this.foundDead += 1;
    else {
      this.hear();
      this.unused = true;
    }
  }

  private hear(): void {
    this.heardAtMs = this.clock?.now();
  }

  private hangUp(): void {
    queueMicrotask(() => this.finish());
  }

  private startClosing(reason: string): void {
    if (this.closeReason !== undefined) return;
    this.closeReason = reason;
    if (!this.closed) this.listener.onClosing?.(this as never);
  }

  private finish(): void {
    if (this.closed) return;
    this.startClosing('the connection broke');
    this.closed = true;
    this.answerChecks(false);
    this.listener.onClosed?.(this as never);
  }
}

interface Try {
  atMs: number;
  open(connection: FakeConnection): void;
  fail(error: ConnectError): void;
}

/** Stands for the network: tries to connect wait until the test says how they end. */
export class FakeConnector {
  /** Every connection that was opened. */
  readonly connections: FakeConnection[] = [];
  /** When each try to connect began. */
  readonly triedAtMs: number[] = [];
  /** Tries to connect that go on. */
  readonly trying: Try[] = [];
  maxTryingAtOnce = 0;

  constructor(private readonly now: () => number) {}

  /** To be handed to a pool. */
  readonly connect = (signal: AbortSignal): Promise<FakeConnection> =>
    new Promise((resolve, reject) => {
      const atMs = this.now();
      const ended = new AbortController();
      const attempt: Try = {
        atMs,
        open: connection => {
          ended.abort();
          resolve(connection);
        },
        fail: error => {
          ended.abort();
          reject(error);
        },
      };
      this.triedAtMs.push(atMs);
      this.trying.push(attempt);
      this.maxTryingAtOnce = Math.max(this.maxTryingAtOnce, this.trying.length);
      signal.addEventListener('abort', () => this.fail('cancelled'), { signal: ended.signal });
    });

  /** Connections whose owner does not know yet that they are gone, included. */
  get open(): FakeConnection[] {
    return this.connections.filter(connection => connection.open);
  }

  /** The oldest try succeeds. */
  succeed(connection: FakeConnection): FakeConnection {
    this.connections.push(connection);
    this.end().open(connection);
    return connection;
  }

  /** The oldest try fails. */
  fail(failure: ConnectFailure = 'unreachable'): void {
    this.end().fail(new ConnectError(`milvus:19530: ${failure}`, failure, 'look'));
  }

  private end(): Try {
    const attempt = this.trying.shift();
    if (!attempt) throw new Error('nobody tries to connect');
    return attempt;
  }
}

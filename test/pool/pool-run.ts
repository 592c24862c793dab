import type { EndpointOptions } from '../../lib/options/resolved-options.js';
import { ConnectionPool } from '../../lib/pool/connection-pool.js';
import type { ConnectionSource, PoolUser } from '../../lib/pool/connection-source.js';
import type { Lease } from '../../lib/pool/lease.js';
import type { Member } from '../../lib/pool/member.js';
import type { PoolFailure, PoolFailureReason } from '../../lib/pool/pool-failure.js';
import type { Verdict } from '../../lib/pool/trust.js';
import type { PoolObserver } from '../../lib/telemetry/pool-telemetry.js';
import { FakeClock, settled } from '../support/fake-clock.js';
import { FakeConnection, FakeConnector } from '../support/fake-connection.js';

export type PoolSettings = Partial<EndpointOptions['pool']>;

type Fate = 'waiting' | 'served' | 'failed' | 'left';

/** What became of one who asked for something, by the test's own account. */
abstract class Asker {
  fate: Fate = 'waiting';
  /** How often one of its functions was called since it last asked. */
  answers = 0;
  reason?: PoolFailureReason;
  failure?: PoolFailure;
  /** By when it must have had an answer. */
  untilMs = 0;

  constructor(
    protected readonly run: PoolRun,
    /** By the order of arrival. */
    readonly id: number,
  ) {}

  protected answered(fate: 'served' | 'failed'): void {
    this.answers += 1;
    if (this.fate === 'waiting') this.fate = fate;
    else this.run.wrongs.push(`${this.id} was ${fate} after it had ${this.fate}`);
  }

  protected failed(failure: PoolFailure): void {
    this.answered('failed');
    const waited = failure.waited !== undefined;
    if (waited && this.run.clock.now() >= this.untilMs) this.run.timeouts += 1;
    this.reason = failure.reason;
    this.failure = failure;
  }
}

/** One RPC: who asked for a connection, and what became of it. */
export class Guest extends Asker implements PoolUser<FakeConnection> {
  ticket: number | undefined = undefined;
  /** Where its call is, or was. */
  connection?: FakeConnection;
  /** Whether its call is on the wire. */
  inFlight = false;
  /** Whether it has come more than once. */
  again = false;
  private member?: Member<FakeConnection>;
  private sentAtMs = 0;
  private leaveLine = () => {};

  constructor(
    run: PoolRun,
    id: number,
    /** The pool, or a lease. */
    readonly source: ConnectionSource<FakeConnection>,
  ) {
    super(run, id);
  }

  ask(limitMs: number): void {
    this.fate = 'waiting';
    this.answers = 0;
    this.untilMs = this.run.clock.now() + Math.min(limitMs, this.run.settings.acquireTimeoutMs);
    this.leaveLine = this.source.acquire(this, limitMs);
  }

  use(member: Member<FakeConnection>): void {
    const { run } = this;
    const { connection } = member;
    run.looksAtUse(this, connection);
    this.answered('served');
    this.connection = connection;
    this.member = member;
    this.inFlight = true;
    this.sentAtMs = run.clock.now();
    run.members.set(connection, member);
    run.uses += 1;
    connection.send();
  }

  fail(failure: PoolFailure): void {
    this.failed(failure);
  }

  leave(): void {
    if (this.fate === 'waiting') this.fate = 'left';
    this.leaveLine();
  }

  /** Its call ends, and says this of its connection. */
  ends(verdict: Verdict = 'answered'): void {
    this.inFlight = false;
    this.connection!.endCall();
    this.tell(verdict);
  }

  /** Its connection went away, and the server has provably not looked at its call. */
  comesAgain(limitMs = 60_000): void {
    this.ends('nothing');
    this.again = true;
    this.ask(limitMs);
  }

  /** Its connection is gone, and its call with it. */
  lost(): void {
    this.inFlight = false;
    this.tell('nothing');
  }

  private tell(verdict: Verdict): void {
    this.run.ended += 1;
    this.source.ended(this.member!, verdict, this.sentAtMs);
  }
}

/** One who asked for a lease. */
export class Holder extends Asker {
  lease?: Lease<FakeConnection>;
  released = false;
  private leaveLine = () => {};

  ask(limitMs: number): void {
    this.untilMs = this.run.clock.now() + limitMs;
    this.leaveLine = this.run.pool.lease(this, limitMs);
  }

  use(lease: Lease<FakeConnection>): void {
    const { run } = this;
    const first = run.holders.find(({ fate }) => fate === 'waiting');
    if (first && first !== this) run.wrongs.push(`holder ${this.id} overtook ${first.id}`);
    if (run.held.some(each => each.connection === lease.member.connection)) {
      run.wrongs.push(`holder ${this.id} got another one's connection`);
    }
    run.looksAtLease(lease.member.connection);
    this.answered('served');
    this.lease = lease;
    run.members.set(lease.member.connection, lease.member);
    run.uses += 1;
  }

  fail(failure: PoolFailure): void {
    this.failed(failure);
  }

  leave(): void {
    if (this.fate === 'waiting') this.fate = 'left';
    this.leaveLine();
  }

  release(): void {
    this.released = true;
    this.lease!.release();
  }

  get held(): boolean {
    return this.lease !== undefined && !this.released;
  }

  get connection(): FakeConnection | undefined {
    return this.lease?.member.connection;
  }

  /** An RPC of this lease. */
  acquire(limitMs = 60_000): Guest {
    return this.run.acquire(limitMs, this.lease);
  }
}

/** A pool on fake connections and a fake clock, with a record of everything. */
export class PoolRun {
  readonly clock = new FakeClock();
  readonly network = new FakeConnector(() => this.clock.now());
  readonly guests: Guest[] = [];
  readonly holders: Holder[] = [];
  readonly events: string[] = [];
  /** What must never happen, and did. */
  readonly wrongs: string[] = [];
  /** Of connections that were used. */
  readonly members = new Map<FakeConnection, Member<FakeConnection>>();
  readonly settings: EndpointOptions['pool'];
  readonly pool: ConnectionPool<FakeConnection>;
  /** Waits that ended at their limit. */
  timeouts = 0;
  /** Waits that ended with what was waited for. */
  uses = 0;
  /** Calls that were on the wire and are not any more. */
  ended = 0;
  closed = false;

  constructor(settings: PoolSettings = {}, random: () => number = () => 0) {
    this.settings = {
      minConnections: 1,
      maxConnections: 4,
      maxStreamsPerConnection: 100,
      acquireTimeoutMs: 5_000,
      maxPending: 1_000,
      maxLeases: 5,
      idleTimeoutMs: 0,
      maxLifetimeMs: 0,
      validateAfterIdleMs: 1_000_000,
      connectTimeoutMs: 10_000,
      keepalive: { intervalMs: 30_000, timeoutMs: 5_000, withoutCalls: false },
      maxReceiveBytes: 1_000_000,
      dedicated: false,
      ...settings,
    };
    const observer: PoolObserver = {
      stateChanged: (from, to) => this.events.push(`${from} → ${to}`),
      connectionOpened: (address, tookMs) => this.events.push(`opened ${address} in ${tookMs}`),
      connectionClosed: (_address, reason) => this.events.push(`closed: ${reason}`),
      connectFailed: ({ failure }) => this.events.push(`failed: ${failure}`),
    };
    const connect = (signal: AbortSignal) => {
      this.looksAtTry();
      return this.network.connect(signal);
    };
    this.pool = new ConnectionPool(this.settings, connect, observer, this.clock, random);
  }

  /** Who waits for a shared connection, in the order of arrival. */
  get waiting(): Guest[] {
    return this.waitingAt(this.pool);
  }

  waitingAt(source: ConnectionSource<FakeConnection>): Guest[] {
    return this.guests.filter(guest => guest.fate === 'waiting' && guest.source === source);
  }

  get waitingForLease(): Holder[] {
    return this.holders.filter(({ fate }) => fate === 'waiting');
  }

  get held(): Holder[] {
    return this.holders.filter(({ held }) => held);
  }

  acquire(limitMs = 60_000, source: ConnectionSource<FakeConnection> = this.pool): Guest {
    const guest = new Guest(this, this.guests.length, source);
    this.guests.push(guest);
    guest.ask(limitMs);
    return guest;
  }

  acquireAll(count: number): Guest[] {
    return Array.from({ length: count }, () => this.acquire());
  }

  lease(limitMs = 60_000): Holder {
    const holder = new Holder(this, this.holders.length);
    this.holders.push(holder);
    holder.ask(limitMs);
    return holder;
  }

  /** The oldest try to connect succeeds. */
  async connected(
    connection = new FakeConnection(Number.POSITIVE_INFINITY, this.clock),
  ): Promise<FakeConnection> {
    this.network.succeed(connection);
    await settled();
    return connection;
  }

  async refused(failure: Parameters<FakeConnector['fail']>[0] = 'unreachable'): Promise<void> {
    this.network.fail(failure);
    await settled();
  }

  close(how: 'close' | 'destroy' = 'close', limitMs?: number): void {
    const gone = how === 'close' ? this.pool.close(limitMs) : this.pool.destroy();
    void gone.then(() => {
      this.closed = true;
    });
  }

  /** Whether it may try to connect now. */
  looksAtTry(): void {}

  /** Whether the call of this guest may go to this connection now. */
  looksAtUse(guest: Guest, connection: FakeConnection): void {
    const { wrongs } = this;
    const first = this.waitingAt(guest.source)[0];
    if (first && first !== guest) wrongs.push(`${guest.id} overtook ${first.id}`);
    if (!connection.open) wrongs.push(`${guest.id} got a connection that takes no calls`);
    if (connection.beingChecked) wrongs.push(`${guest.id} got a connection in doubt`);
    const limit = Math.min(this.settings.maxStreamsPerConnection, connection.maxStreams);
    if (connection.inFlight >= limit) wrongs.push(`${guest.id} got a full connection`);
    const holder = this.held.find(each => each.connection === connection);
    if (holder?.lease !== (guest.source === this.pool ? undefined : guest.source)) {
      wrongs.push(`${guest.id} got somebody else's connection`);
    }
    if (guest.source === this.pool) this.looksAtIdleTime(connection);
  }

  looksAtLease(connection: FakeConnection): void {
    if (!connection.open) this.wrongs.push('a lease of a connection that takes no calls');
    if (connection.inFlight > 0) this.wrongs.push('a lease of a connection with calls');
    this.looksAtIdleTime(connection);
  }

  /** Whether it was idle for so long that nobody may use it before it was checked. */
  outOfTouch({ inFlight, heardAtMs, unused }: FakeConnection): boolean {
    if (inFlight > 0 || heardAtMs === undefined) return false;
    const { validateAfterIdleMs } = this.settings;
    // What was checked for nothing is good for a second.
    return (
      this.clock.now() - heardAtMs >= (unused ? Math.max(1_000, validateAfterIdleMs) : validateAfterIdleMs)
    );
  }

  private looksAtIdleTime(connection: FakeConnection): void {
    // At 0 a connection whose call has just ended may take the next one.
    const justHeard = [connection.heardAtMs, connection.settingsAtMs].includes(this.clock.now());
    if (!justHeard && this.outOfTouch(connection)) this.wrongs.push('used unchecked after idling');
  }
}

/** A pool with one open connection. */
export async function connectedRun(settings: PoolSettings = {}): Promise<[PoolRun, FakeConnection]> {
  const [run, connections] = await runWith(1, settings);
  return [run, connections[0]!];
}

/** A pool with so many open connections, which is its minimum too if the settings have none. */
export async function runWith(
  count: number,
  settings: PoolSettings = {},
): Promise<[PoolRun, FakeConnection[]]> {
  const run = new PoolRun({ minConnections: count, ...settings });
  const { guests, network } = run;
  const connections: FakeConnection[] = [];
  run.pool.start();
  while (connections.length < count) {
    // Beyond the minimum it grows by calls.
    if (network.trying.length === 0) {
      for (const connection of connections) while (connection.inFlight < 9) connection.send();
      run.acquire();
    }
    connections.push(await run.connected());
  }
  for (const guest of guests.splice(0)) guest.ends('nothing');
  for (const connection of connections) while (connection.inFlight > 0) connection.endCall();
  return [run, connections];
}

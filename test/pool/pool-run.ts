import type { EndpointOptions } from '../../lib/options/resolved-options.js';
import { ConnectionPool } from '../../lib/pool/connection-pool.js';
import type { PoolFailure, PoolFailureReason } from '../../lib/pool/pool-failure.js';
import type { PoolObserver } from '../../lib/telemetry/pool-telemetry.js';
import { FakeClock, settled } from '../support/fake-clock.js';
import { FakeConnection, FakeConnector } from '../support/fake-connection.js';

export type PoolSettings = Partial<EndpointOptions['pool']>;

/** One who asked the pool for a connection, and what became of it. */
export interface Guest {
  id: number;
  /** By when it must have had an answer. */
  untilMs: number;
  fate: 'waiting' | 'served' | 'failed' | 'left';
  /** How often the pool called one of its functions. */
  answers: number;
  connection?: FakeConnection;
  reason?: PoolFailureReason;
  failure?: PoolFailure;
  leave(): void;
}

/** A pool on fake connections and a fake clock, with a record of everything. */
export class PoolRun {
  readonly clock = new FakeClock();
  readonly network = new FakeConnector(() => this.clock.now());
  readonly guests: Guest[] = [];
  readonly events: string[] = [];
  readonly settings: EndpointOptions['pool'];
  readonly pool: ConnectionPool<FakeConnection>;
  closed = false;

  constructor(settings: PoolSettings = {}, random: () => number = () => 0) {
    this.settings = {
      minConnections: 1,
      maxConnections: 4,
      maxStreamsPerConnection: 100,
      acquireTimeoutMs: 5_000,
      maxPending: 1_000,
      connectTimeoutMs: 10_000,
      keepalive: { intervalMs: 30_000, timeoutMs: 5_000, withoutCalls: false },
      maxReceiveBytes: 1_000_000,
      ...settings,
    };
    const observer: PoolObserver = {
      stateChanged: (from, to) => this.events.push(`${from} → ${to}`),
      connectionOpened: (address, tookMs) => this.events.push(`opened ${address} in ${tookMs}`),
      connectionClosed: (_address, reason) => this.events.push(`closed: ${reason}`),
      connectFailed: ({ failure }) => this.events.push(`failed: ${failure}`),
    };
    this.pool = new ConnectionPool(this.settings, this.network.connect, observer, this.clock, random);
  }

  get waiting(): Guest[] {
    return this.guests.filter(({ fate }) => fate === 'waiting');
  }

  acquire(limitMs = 60_000): Guest {
    const guest: Guest = {
      id: this.guests.length,
      untilMs: this.clock.now() + Math.min(limitMs, this.settings.acquireTimeoutMs),
      fate: 'waiting',
      answers: 0,
      leave: () => {
        if (guest.fate === 'waiting') guest.fate = 'left';
        leaveLine();
      },
    };
    this.guests.push(guest);
    const leaveLine = this.pool.acquire(
      {
        use: connection => {
          const first = this.waiting[0];
          if (first && first !== guest) this.events.push(`${guest.id} overtook ${first.id}`);
          if (!connection.open) this.events.push(`${guest.id} got a connection that takes no calls`);
          guest.answers += 1;
          if (guest.fate !== 'left') guest.fate = 'served';
          guest.connection = connection;
          const limit = Math.min(this.settings.maxStreamsPerConnection, connection.maxStreams);
          if (connection.inFlight >= limit) this.events.push(`${guest.id} got a full connection`);
          connection.send();
        },
        fail: failure => {
          guest.answers += 1;
          if (guest.fate !== 'left') guest.fate = 'failed';
          guest.reason = failure.reason;
          guest.failure = failure;
        },
      },
      limitMs,
    );
    return guest;
  }

  /** The oldest try to connect succeeds. */
  async connected(connection = new FakeConnection()): Promise<FakeConnection> {
    this.network.succeed(connection);
    await settled();
    return connection;
  }

  async refused(failure: Parameters<FakeConnector['fail']>[0] = 'unreachable'): Promise<void> {
    this.network.fail(failure);
    await settled();
  }

  close(how: 'close' | 'destroy' = 'close'): void {
    void this.pool[how]().then(() => {
      this.closed = true;
    });
  }
}

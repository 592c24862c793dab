import { expect } from '@jest/globals';
import { parseAddress } from '../../../lib/options/address.js';
import type { Attempt, AttemptOutcome } from '../../../lib/transport/attempt.js';
import type { ConnectError } from '../../../lib/transport/connect-error.js';
import { Http2Connection, type Http2ConnectionOptions } from '../../../lib/transport/http2-connection.js';
import { FakeClock } from '../../support/fake-clock.js';
import { realProcess } from '../../support/real-process.js';
import { type Message, milvusService } from '../../support/stub-server.js';

export type WireOptions = Partial<Omit<Http2ConnectionOptions, 'address'>> & { signal?: AbortSignal };

export interface CallOptions {
  request?: Message;
  metadata?: Record<string, string>;
  timeoutMs?: number;
  graceMs?: number;
}

/** What one connection told its owner, and what it should have told. */
interface Told {
  /** Calls that were in flight, each of which must end. */
  calls: number;
  rooms: number;
  closing: number;
  closed: number;
}

/** Our end of the wire: connections under a clock that stands still, and a look at what they leave behind. */
export class Wire {
  readonly clock = new FakeClock();
  private readonly told = new Map<Http2Connection, Told>();
  private readonly accidents: unknown[] = [];
  private readonly onAccident = (error: unknown) => {
    this.accidents.push(error);
  };

  constructor() {
    realProcess.on('uncaughtException', this.onAccident);
    realProcess.on('unhandledRejection', this.onAccident);
  }

  async connect(address: string, { signal, ...options }: WireOptions = {}): Promise<Http2Connection> {
    const { host, port } = parseAddress(address);
    const connection = await Http2Connection.connect(
      {
        address: { host, port },
        connectTimeoutMs: 20_000,
        keepalive: { intervalMs: 30_000, timeoutMs: 5_000, withoutCalls: false },
        maxReceiveBytes: 64 * 1024 * 1024,
        ...options,
      },
      signal ?? new AbortController().signal,
      this.clock,
    );
    const told: Told = { calls: 0, rooms: 0, closing: 0, closed: 0 };
    this.told.set(connection, told);
    connection.listen({
      onRoom: () => {
        told.rooms += 1;
      },
      onClosing: () => {
        told.closing += 1;
      },
      onClosed: () => {
        told.closed += 1;
      },
    });
    return connection;
  }

  /** Connecting must fail; why it did. */
  async refusal(address: string, options: WireOptions = {}): Promise<ConnectError> {
    const result = await this.connect(address, options).catch((error: ConnectError) => error);
    if (result instanceof Http2Connection) throw new Error('it connected');
    expect(result.name).toBe('ConnectError');
    return result;
  }

  send(connection: Http2Connection, rpc = 'GetVersion', options: CallOptions = {}): Attempt {
    const { request = {}, metadata = {}, timeoutMs = 10_000, graceMs } = options;
    const definition = milvusService[rpc];
    const before = connection.inFlight;
    const attempt = connection.send({
      path: definition?.path ?? rpc,
      message: definition?.requestSerialize(request) ?? new Uint8Array(),
      metadata,
      timeoutMs,
      graceMs,
    });
    this.told.get(connection)!.calls += connection.inFlight - before;
    return attempt;
  }

  call(connection: Http2Connection, rpc?: string, options?: CallOptions): Promise<AttemptOutcome> {
    return this.send(connection, rpc, options).outcome;
  }

  /** A call that shows that the connection still works. */
  async proveUsable(connection: Http2Connection): Promise<void> {
    expect(versionOf(await this.call(connection))).toBe('v2.6.0-stub');
    expect(connection.open).toBe(true);
  }

  roomsOf(connection: Http2Connection): number {
    return this.told.get(connection)!.rooms;
  }

  /** For a test that listens to it itself. */
  forget(connection: Http2Connection): void {
    this.told.delete(connection);
  }

  closed(connection: Http2Connection): Promise<void> {
    return this.until(() => this.told.get(connection)!.closed > 0);
  }

  /** Looks again after every turn of the event loop. */
  async until(predicate: () => boolean): Promise<void> {
    const endMs = performance.now() + 20_000;
    while (!predicate()) {
      if (performance.now() > endMs) throw new Error(`not reached within 20 s: ${predicate}`);
      await new Promise(resolve => setImmediate(resolve));
    }
  }

  /** Ends what is open. Fails the test if anything is left, was told twice, or escaped. */
  async end(): Promise<void> {
    for (const connection of this.told.keys()) connection.destroy();
    for (const connection of this.told.keys()) await this.closed(connection);
    // What is still to be reported is reported now.
    await new Promise(resolve => setImmediate(resolve));
    realProcess.off('uncaughtException', this.onAccident);
    realProcess.off('unhandledRejection', this.onAccident);
    expect(this.accidents).toEqual([]);
    expect(this.clock.pending).toBe(0);
    for (const [connection, told] of this.told) {
      expect(connection.inFlight).toBe(0);
      expect(told).toMatchObject({ closing: 1, closed: 1 });
      expect(told.rooms).toBeGreaterThanOrEqual(told.calls);
    }
  }
}

/** What GetVersion answered. */
export function versionOf(outcome: AttemptOutcome): unknown {
  if (!outcome.ok) throw new Error(`${outcome.code}: ${outcome.message}`);
  return milvusService['GetVersion']!.responseDeserialize(outcome.message)['version'];
}

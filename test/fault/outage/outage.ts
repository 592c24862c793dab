import type nodeProcess from 'node:process';
import type { MilvusPoolEvent, PooledMilvusClient } from '../../../lib/index.js';
import type { MilvusClientOptions } from '../../../lib/options/milvus-client-options.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { closeClients, connected, eventually, pause, pooledClient } from '../../support/pooled-client.js';
import { type StubCall, StubServer } from '../../support/stub-server.js';
import { SteadyCalls } from './steady-calls.js';

type StateChange = Extract<MilvusPoolEvent, { type: 'state-changed' }> & { atMs: number };

/** How long each outage lasts once the circuit is open. */
export const OUTAGE_MS = Number(process.env['OUTAGE_SECONDS'] ?? 2) * 1_000;

/** Limits of each call of an outage. */
export const READ_MS = 2_000;
export const WAIT_MS = 1_000;

/** More than any retry may add to so many calls: `retryBudget`, as it is by default. */
export function retriesOf(calls: number): number {
  return 0.2 * calls + 10;
}

export interface Fault {
  begin(outage: Outage): Promise<void> | void;
  end(outage: Outage): Promise<void> | void;
}

/** Jest gives tests a copy of `process`, on which nothing is ever reported. */
const realProcess = (
  globalThis.process as typeof nodeProcess & { getBuiltinModule(id: string): unknown }
).getBuiltinModule('node:process') as typeof nodeProcess;

/** A server that goes away and comes back under steady calls, and what was seen of that at both ends. */
export class Outage {
  readonly changes: StateChange[] = [];
  readonly accidents: unknown[] = [];
  downAt = 0;
  openedAt = 0;
  upAt = 0;
  private readonly onAccident = (error: unknown) => {
    this.accidents.push(error);
  };

  private constructor(
    readonly stub: StubServer,
    readonly proxy: FaultProxy,
    readonly client: PooledMilvusClient,
    readonly calls: SteadyCalls,
  ) {
    client.pool.events$.subscribe(event => {
      if (event.type === 'state-changed') this.changes.push({ ...event, atMs: performance.now() });
    });
    realProcess.on('unhandledRejection', this.onAccident);
    realProcess.on('uncaughtException', this.onAccident);
  }

  /** Steady calls, all of which succeed so far. */
  static async prepare(options: Partial<MilvusClientOptions> = {}): Promise<Outage> {
    const stub = await StubServer.start();
    const proxy = await FaultProxy.start({ target: stub.address });
    const client = pooledClient(proxy.address, {
      circuitBreaker: {},
      timeouts: { readMs: READ_MS },
      ...options,
      pool: { acquireTimeoutMs: WAIT_MS, ...options.pool },
    });
    await connected(client);
    const outage = new Outage(stub, proxy, client, new SteadyCalls(client));
    await eventually(() => outage.calls.calls.length >= 100);
    return outage;
  }

  async begin(fault: Fault): Promise<void> {
    this.stub.resetCounts();
    this.downAt = performance.now();
    await fault.begin(this);
  }

  /** Waits until calls fail fast. */
  async opened(): Promise<void> {
    await eventually(() => this.client.pool.circuit.state === 'open');
    this.openedAt = performance.now();
  }

  async end(fault: Fault): Promise<void> {
    await fault.end(this);
    this.upAt = performance.now();
  }

  /** Waits for the first success, and then so long that what a return brings about has shown. */
  async recovered(): Promise<void> {
    await eventually(() => this.calls.firstSuccess(this.upAt) !== undefined, 40_000);
    await eventually(() => this.client.pool.state === 'ready');
    await pause(1_200);
    await this.calls.stop();
  }

  /** From the server's return to the first call that began after it and succeeded, in ms. */
  get recoveryMs(): number {
    return this.calls.firstSuccess(this.upAt)! - this.upAt;
  }

  /** Whether each change of the state begins where the one before it ended. */
  get changesAreWhole(): boolean {
    return this.changes.every(
      ({ from, to }, index) => from !== to && from === (this.changes[index - 1]?.to ?? 'ready'),
    );
  }

  async stop(): Promise<void> {
    await this.calls.stop();
    await closeClients();
    await this.proxy.stop();
    await this.stub.stop();
    realProcess.off('unhandledRejection', this.onAccident);
    realProcess.off('uncaughtException', this.onAccident);
  }

  /** What arrived at the server of those calls in this time. */
  arrivals(from: number, to: number): StubCall[] {
    return this.stub.calls('GetLoadState').filter(({ atMs }) => atMs >= from && atMs < to);
  }

  /** The most that arrived of them within one second. */
  peak(from: number): number {
    const times = this.arrivals(from, Infinity).map(({ atMs }) => atMs);
    const within = times.map(time => times.filter(each => each >= time && each < time + 1_000).length);
    return Math.max(0, ...within);
  }

  /** The prober's questions that arrived in this time. */
  questions(from: number, to: number): StubCall[] {
    return this.stub.calls('CheckHealth').filter(({ atMs }) => atMs >= from && atMs < to);
  }
}

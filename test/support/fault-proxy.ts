import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Waiters } from './stub-waiters.js';

export interface FaultProxyOptions {
  /** host:port of the real server. */
  target: string;
  port?: number;
}

export type Direction = 'toServer' | 'toClient';

const DIRECTIONS: Direction[] = ['toServer', 'toClient'];

/** A TCP proxy that fails on command, while connections run through it. */
export class FaultProxy {
  /** Where new connections go; may be changed while running. */
  target: string;
  connectionsEver = 0;
  /** Bytes handed on so far. */
  readonly bytes: Record<Direction, number> = { toServer: 0, toClient: 0 };

  private readonly links = new Set<Link>();
  private readonly probes = new Set<Socket>();
  private readonly paused: Record<Direction, boolean> = { toServer: false, toClient: false };
  private readonly allowance: Record<Direction, number> = { toServer: Infinity, toClient: Infinity };
  private readonly cutBy: Record<Direction, 'fin' | 'rst'> = { toServer: 'fin', toClient: 'fin' };
  private latencyMs = 0;
  private blackhole = false;
  private server: Server | undefined;
  private port: number;
  private readonly waiters = new Waiters<FaultProxy>(this, () => this.summary());

  static async start(options: FaultProxyOptions): Promise<FaultProxy> {
    const proxy = new FaultProxy(options);
    await proxy.accept();
    return proxy;
  }

  private constructor(options: FaultProxyOptions) {
    this.target = options.target;
    this.port = options.port ?? 0;
  }

  /** host:port for the client. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections on the client's side: seen to close even while paused. */
  get connectionsOpen(): number {
    return [...this.links].filter(link => !link.client.destroyed).length;
  }

  /** Resolves as soon as `predicate` holds; looked at again on every event. */
  waitFor(predicate: (proxy: FaultProxy) => boolean, timeoutMs?: number): Promise<void> {
    return this.waiters.waitFor(predicate, timeoutMs);
  }

  /**
   * Resolves when every connection made so far stands in `connectionsEver`. The kernel completes connections before
   * anybody here sees them, and hands them over in turn, so that one of ours comes last; it is not counted.
   */
  async settled(): Promise<void> {
    const probe = connect(this.port, '127.0.0.1');
    this.probes.add(probe);
    await new Promise((resolve, reject) => probe.once('close', resolve).once('error', reject));
    this.probes.delete(probe);
  }

  /** A black hole: accepts and reads, hands nothing on, in one direction or both. What is held goes on at `resume()`. */
  pause(direction?: Direction): void {
    for (const each of DIRECTIONS) if (!direction || direction === each) this.paused[each] = true;
  }

  /** A black hole for one connection, both ways: the `nth` that came, from 1. The others go on. */
  freeze(nth: number): void {
    for (const link of this.links) if (link.nth === nth) link.frozen = true;
  }

  /** Ends `pause()`, `freeze()` and `blackholeNew()`. */
  resume(): void {
    this.blackhole = false;
    for (const direction of DIRECTIONS) this.paused[direction] = false;
    for (const link of this.links) {
      link.frozen = false;
      link.flush();
    }
  }

  /** New connections are accepted and never get anywhere, not even after `resume()`; the old ones go on. */
  blackholeNew(): void {
    this.blackhole = true;
  }

  /** Refuses new connections; the old ones go on. */
  refuse(): void {
    this.server?.close();
    this.server = undefined;
  }

  /** Listens again after `refuse()`, on the same port. */
  accept(): Promise<void> {
    if (this.server) return Promise.resolve();
    // Half-open, so that a FIN waits its turn behind the bytes that are held or delayed.
    const server = createServer({ allowHalfOpen: true, noDelay: true }, client => this.link(client));
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, '127.0.0.1', () => {
        this.port = (server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  /** TCP RST on every connection, on both sides. */
  reset(): void {
    for (const link of this.links) link.close('rst');
  }

  /** FIN on every connection, on both sides. */
  cut(): void {
    for (const link of this.links) link.close('fin');
  }

  /** Every chunk arrives `ms` later, each way. */
  latency(ms: number): void {
    this.latencyMs = ms;
  }

  /**
   * Each connection, old or new, is closed after exactly `bytes` more in this direction. `Infinity` takes it back.
   * A Node peer that reads the last bytes and an RST in one turn reports the RST as an orderly end.
   */
  cutAfterBytes(bytes: number, direction: Direction = 'toClient', how: 'fin' | 'rst' = 'fin'): void {
    this.allowance[direction] = bytes;
    this.cutBy[direction] = how;
    for (const link of this.links) link.allow(direction, bytes);
  }

  /** Closes everything at once. Resolves when the port is free. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = undefined;
    const closed = new Promise<void>(resolve => {
      if (server) server.close(() => resolve());
      else resolve();
    });
    for (const link of this.links) link.close('now');
    await closed;
    await this.waiters.waitFor(() => this.links.size === 0);
    this.waiters.stop();
  }

  private link(client: Socket): void {
    if ([...this.probes].some(probe => probe.localPort === client.remotePort)) {
      client.destroy();
      return;
    }
    this.connectionsEver += 1;
    const upstream = this.blackhole ? undefined : this.connectUpstream();
    const link: Link = new Link(this.connectionsEver, client, upstream, {
      paused: direction => link.frozen || this.paused[direction],
      latencyMs: () => this.latencyMs,
      cutBy: direction => this.cutBy[direction],
      passed: (direction, bytes) => {
        this.bytes[direction] += bytes;
        this.waiters.changed();
      },
      changed: () => {
        if (link.closed) this.links.delete(link);
        this.waiters.changed();
      },
    });
    for (const direction of DIRECTIONS) link.allow(direction, this.allowance[direction]);
    this.links.add(link);
    this.waiters.changed();
  }

  private connectUpstream(): Socket {
    const colon = this.target.lastIndexOf(':');
    return connect({
      host: this.target.slice(0, colon).replace(/^\[|\]$/g, ''),
      port: Number(this.target.slice(colon + 1)),
      allowHalfOpen: true,
      noDelay: true,
    });
  }

  private summary(): string {
    const { connectionsOpen, connectionsEver, bytes, paused, blackhole } = this;
    return JSON.stringify({ connectionsOpen, connectionsEver, bytes, paused, blackhole });
  }
}

interface Switches {
  paused(direction: Direction): boolean;
  latencyMs(): number;
  cutBy(direction: Direction): 'fin' | 'rst';
  passed(direction: Direction, bytes: number): void;
  changed(): void;
}

/** One client's connection and the one behind it. */
class Link {
  frozen = false;
  private readonly pipes: Record<Direction, Pipe>;

  constructor(
    readonly nth: number,
    readonly client: Socket,
    private readonly upstream: Socket | undefined,
    private readonly switches: Switches,
  ) {
    this.pipes = {
      toServer: new Pipe('toServer', client, upstream, switches, how => this.close(how)),
      toClient: new Pipe('toClient', upstream, client, switches, how => this.close(how)),
    };
    for (const socket of [client, upstream]) {
      socket?.on('error', () => {});
      socket?.once('close', hadError => this.sideClosed(socket, hadError));
    }
  }

  get closed(): boolean {
    return this.client.destroyed && (this.upstream?.destroyed ?? true);
  }

  allow(direction: Direction, bytes: number): void {
    this.pipes[direction].allow(bytes);
  }

  flush(): void {
    for (const direction of DIRECTIONS) this.pipes[direction].flush();
  }

  close(how: 'fin' | 'rst' | 'now'): void {
    for (const direction of DIRECTIONS) this.pipes[direction].stop();
    for (const socket of [this.client, this.upstream]) {
      if (!socket) continue;
      if (how === 'rst') socket.resetAndDestroy();
      else if (how === 'fin') socket.destroySoon();
      else socket.destroy();
    }
  }

  private sideClosed(socket: Socket, hadError: boolean): void {
    const other = socket === this.client ? this.upstream : this.client;
    const direction = socket === this.client ? 'toServer' : 'toClient';
    if (hadError && other && !this.switches.paused(direction)) {
      this.pipes[direction].stop();
      other.resetAndDestroy();
    } else if (hadError) {
      // In a black hole a reset reaches the other side no sooner than anything else.
      this.pipes[direction].finish();
    }
    this.switches.changed();
  }
}

const FIN = Symbol('FIN');

/** One direction of a connection: a queue in which bytes wait for their time. */
class Pipe {
  private readonly queue: { due: number; item: Buffer | typeof FIN }[] = [];
  private allowance = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;

  constructor(
    private readonly direction: Direction,
    private readonly source: Socket | undefined,
    private readonly sink: Socket | undefined,
    private readonly switches: Switches,
    private readonly cut: (how: 'fin' | 'rst') => void,
  ) {
    source?.on('data', (chunk: Buffer) => this.push(chunk));
    source?.once('end', () => {
      this.finish();
      // The client is gone, whether or not anybody upstream may know it.
      if (direction === 'toServer' && (!sink || switches.paused(direction))) source.destroy();
    });
    sink?.on('drain', () => source?.resume());
  }

  allow(bytes: number): void {
    this.allowance = bytes;
  }

  finish(): void {
    this.push(FIN);
  }

  stop(): void {
    this.stopped = true;
    this.queue.length = 0;
    clearTimeout(this.timer);
  }

  flush(): void {
    clearTimeout(this.timer);
    while (!this.stopped && !this.switches.paused(this.direction)) {
      const head = this.queue[0];
      if (!head) return;
      const waitMs = head.due - performance.now();
      if (waitMs > 0) {
        this.timer = setTimeout(() => this.flush(), Math.ceil(waitMs));
        return;
      }
      this.queue.shift();
      this.pass(head.item);
    }
  }

  private push(item: Buffer | typeof FIN): void {
    if (this.stopped) return;
    this.queue.push({ due: performance.now() + this.switches.latencyMs(), item });
    this.flush();
  }

  private pass(item: Buffer | typeof FIN): void {
    const { sink, source } = this;
    if (!sink || sink.destroyed) return;
    if (item === FIN) {
      sink.end();
      return;
    }
    const bytes = item.subarray(0, this.allowance);
    this.allowance -= bytes.length;
    this.switches.passed(this.direction, bytes.length);
    if (this.allowance > 0) {
      if (!sink.write(bytes)) source?.pause();
      return;
    }
    this.stopped = true;
    sink.write(bytes, () => this.cut(this.switches.cutBy(this.direction)));
  }
}

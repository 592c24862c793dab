import type { IncomingHttpHeaders, ServerHttp2Stream, Settings } from 'node:http2';
import { type Message, milvusService, rpcByPath } from './stub-answers.js';
import { answer, type Behaviour, goawayFrame, MAX_STREAM_ID, status } from './stub-behaviours.js';
import { StubCall } from './stub-call.js';
import { type StubConnection, StubConnections, type StubTls } from './stub-connections.js';
import { StubScript } from './stub-script.js';
import { Waiters } from './stub-waiters.js';

export { failure, type Message, milvusService, success } from './stub-answers.js';
export * from './stub-behaviours.js';
export type { StubCall } from './stub-call.js';
export type { StubConnection, StubTls } from './stub-connections.js';
export { ANY } from './stub-script.js';

export interface StubServerOptions {
  port?: number;
  host?: string;
  tls?: StubTls;
  /** What the server announces, e.g. `{ maxConcurrentStreams: 2 }`. */
  settings?: Settings;
  /** Server time of every call. */
  delayMs?: number;
}

/** Answers with a message, or chooses a behaviour. */
export type Handler<Request extends object = Message> = (
  request: Request,
  call: StubCall,
) => Message | Behaviour | Promise<Message | Behaviour>;

/** A stream the client reset. */
export interface Cancelled {
  rpc: string;
  code: number;
  connectionId: number;
  streamId: number;
  atMs: number;
}

/** Plays Milvus on a raw node:http2 server, misbehaves on request, and counts what arrives. */
export class StubServer {
  /** Server time of every call; may be changed while running. */
  delayMs: number;
  /** Calls in the order in which their requests were complete (or were taken, or given up, before that). */
  received: StubCall[] = [];
  /** Streams the client reset; those that died with their connection do not count. */
  cancelled: Cancelled[] = [];
  inFlight = 0;
  maxInFlight = 0;
  /** PING frames from clients. */
  pings = 0;
  /** TLS handshakes that failed, sessions that broke the protocol, behaviours that threw. */
  errors: Error[] = [];

  private port: number;
  private settings: Settings | undefined;
  private readonly host: string;
  private readonly tcp: StubConnections;
  private readonly script = new StubScript();
  private readonly open = new Set<StubCall>();
  private readonly waiters = new Waiters<StubServer>(this, () => this.summary());

  static async start(options: StubServerOptions = {}): Promise<StubServer> {
    const stub = new StubServer(options);
    await stub.listen();
    return stub;
  }

  private constructor({ port = 0, host = '127.0.0.1', tls, settings, delayMs = 0 }: StubServerOptions) {
    this.port = port;
    this.host = host;
    this.settings = settings;
    this.delayMs = delayMs;
    this.tcp = new StubConnections({
      host,
      ...(tls && { tls }),
      onStream: (stream, headers, connection) => this.arrived(stream, headers, connection),
      onPing: () => {
        this.pings += 1;
        this.waiters.changed();
      },
      onError: error => this.failed(error),
      onChange: () => this.waiters.changed(),
    });
  }

  /** host:port */
  get address(): string {
    return `${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`;
  }

  /** Every connection accepted since the start or `resetCounts()`. */
  get connections(): readonly StubConnection[] {
    return this.tcp.all;
  }

  get connectionsOpen(): number {
    return this.tcp.open.length;
  }

  get connectionsEver(): number {
    return this.tcp.all.length;
  }

  /** How many calls arrived, of one RPC or of all. */
  count(rpc?: string): number {
    return rpc === undefined ? this.received.length : this.calls(rpc).length;
  }

  /** The calls of one RPC. */
  calls(rpc: string): StubCall[] {
    return this.received.filter(call => call.rpc === rpc);
  }

  /** How many calls of one RPC were executed, by `executing()`. */
  executions(rpc: string): number {
    return this.calls(rpc).filter(({ executed }) => executed).length;
  }

  /** Answers every call of `rpc` (or `ANY`) by `handler`. */
  on<Request extends object = Message>(rpc: string, handler: Handler<Request>): this {
    return this.always(rpc, async call => {
      try {
        const result = await handler(call.request as Request, call);
        this.run(typeof result === 'function' ? result : answer(result), call);
      } catch (error) {
        this.run(() => {
          throw error;
        }, call);
      }
    });
  }

  /** Treats every call of `rpc` (or `ANY`) this way. */
  always(rpc: string, behaviour: Behaviour): this {
    this.script.always(rpc, behaviour);
    return this;
  }

  /** Treats the next `times` calls of `rpc` (or `ANY`) this way, after those already queued. */
  next(rpc: string, behaviour: Behaviour, times = 1): this {
    this.script.next(rpc, behaviour, times);
    return this;
  }

  /** Back to the good answers, for one RPC or for all. */
  behave(rpc?: string): this {
    this.script.clear(rpc);
    return this;
  }

  /** Forgets what arrived; what is open stays counted. */
  resetCounts(): void {
    this.received = [];
    this.cancelled = [];
    this.errors = [];
    this.pings = 0;
    this.maxInFlight = this.inFlight;
    this.tcp.all = this.tcp.open;
    for (const connection of this.tcp.all) {
      connection.calls = 0;
      connection.pings = 0;
      connection.maxInFlight = connection.inFlight;
    }
  }

  /** Resolves as soon as `predicate` holds; looked at again on every event. */
  waitFor(predicate: (stub: StubServer) => boolean, timeoutMs?: number): Promise<void> {
    return this.waiters.waitFor(predicate, timeoutMs);
  }

  /** GOAWAY on the open connections (or one), calls or not. The server goes on serving them. */
  goaway(code = 0, lastStreamId: 'max' | number = 'max', connectionId?: number): void {
    const last = lastStreamId === 'max' ? MAX_STREAM_ID : lastStreamId;
    for (const { id, writeRaw } of this.tcp.open) {
      if (connectionId === undefined || connectionId === id) writeRaw(goawayFrame(code, last));
    }
  }

  /** New SETTINGS for the open connections and the later ones. */
  updateSettings(settings: Settings): void {
    this.settings = { ...this.settings, ...settings };
    this.tcp.updateSettings(settings);
  }

  /** Ends the open connections without a word (FIN), or with TCP RST. */
  dropConnections(how: 'fin' | 'rst' = 'fin'): void {
    this.tcp.drop(how);
  }

  /** Ends as a well-behaved server does: GOAWAY, no new connections; resolves when the calls in flight are answered. */
  async shutdown(): Promise<void> {
    const closed = this.tcp.close();
    // Out of the event of a stream that the caller may have waited for: see destroySession().
    setImmediate(() => {
      for (const { session } of this.tcp.open) session?.close();
    });
    await closed;
    await this.stop();
  }

  /** Ends as a killed process does. Resolves when the port is free. */
  async stop(): Promise<void> {
    await this.halt();
    this.waiters.stop();
  }

  /** Stops, if it runs, and listens on the same port again. Behaviours and counts stay. */
  async restart(): Promise<void> {
    await this.halt();
    await this.listen();
  }

  private async listen(): Promise<void> {
    this.port = await this.tcp.listen(this.port, this.settings);
  }

  private async halt(): Promise<void> {
    const closed = this.tcp.close();
    for (const call of this.open) call.clearTimers();
    this.tcp.drop('fin');
    await closed;
    await this.waiters.waitFor(() => this.connectionsOpen === 0 && this.open.size === 0);
  }

  private arrived(
    stream: ServerHttp2Stream,
    metadata: IncomingHttpHeaders,
    connection: StubConnection,
  ): void {
    const path = metadata[':path'] ?? '';
    const rpc = rpcByPath.get(path);
    const definition = milvusService[rpc ?? ''];
    const onEnded = () => this.ended(call);
    const call = new StubCall({ rpc: rpc ?? path, definition, stream, metadata, connection, onEnded });
    this.track(call);
    const behaviour = rpc ? this.script.pick(rpc) : status(12, `unknown method ${path}`);
    let taken = false;
    const take = () => {
      if (taken) return;
      taken = true;
      this.received.push(call);
      this.waiters.changed();
    };
    stream.on('error', () => {});
    stream.once('close', () => {
      take();
      this.closed(call);
    });
    if (behaviour.atHeaders) {
      take();
      this.run(behaviour, call);
      return;
    }
    stream.on('data', (chunk: Buffer) => call.append(chunk));
    stream.once('end', () => {
      // A stream that the client reset ends as well.
      if (stream.aborted) return;
      take();
      if (this.delayMs > 0) call.later(this.delayMs, () => this.run(behaviour, call));
      else this.run(behaviour, call);
    });
  }

  private track(call: StubCall): void {
    const { connection } = call;
    this.open.add(call);
    connection.calls += 1;
    connection.inFlight += 1;
    connection.maxInFlight = Math.max(connection.maxInFlight, connection.inFlight);
    this.inFlight += 1;
    this.maxInFlight = Math.max(this.maxInFlight, this.inFlight);
    this.waiters.changed();
  }

  private run(behaviour: Behaviour, call: StubCall): void {
    try {
      behaviour(call);
    } catch (error) {
      status(13, `the stub failed: ${error}`)(call);
      this.failed(error as Error);
    }
  }

  private ended(call: StubCall): void {
    call.connection.inFlight -= 1;
    this.inFlight -= 1;
    this.waiters.changed();
  }

  private closed(call: StubCall): void {
    const { stream, connection } = call;
    const connectionDied = connection.socket.destroyed || connection.session?.destroyed;
    if (!connectionDied && !call.resetByServer && (stream.rstCode !== 0 || !call.ended)) {
      this.cancelled.push({
        rpc: call.rpc,
        code: stream.rstCode ?? 0,
        connectionId: call.connectionId,
        streamId: call.streamId,
        atMs: performance.now(),
      });
    }
    this.open.delete(call);
    call.clearTimers();
    call.end();
    this.waiters.changed();
  }

  private failed(error: Error): void {
    this.errors.push(error);
    this.waiters.changed();
  }

  private summary(): string {
    const { inFlight, connectionsOpen, connectionsEver, pings } = this;
    const calls: Record<string, number> = {};
    for (const { rpc } of this.received) calls[rpc] = (calls[rpc] ?? 0) + 1;
    const cancelled = this.cancelled.length;
    return JSON.stringify({ calls, inFlight, cancelled, pings, connectionsOpen, connectionsEver });
  }
}

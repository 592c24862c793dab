import type { ClientHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import { describeAddress } from '../options/address.js';
import { type Clock, type Scheduled, systemClock } from '../resilience/clock.js';
import type { Attempt, UnaryRequest } from './attempt.js';
import { type ConnectOptions, connectSession } from './connect.js';
import { http2ErrorName } from './http2-error.js';
import { Keepalive, type KeepaliveOptions } from './keepalive.js';
import { type StreamContext, UnaryStream } from './unary-stream.js';

export interface Http2ConnectionOptions extends ConnectOptions {
  keepalive: KeepaliveOptions;
  /** Largest answer taken, in bytes. */
  maxReceiveBytes: number;
}

/** What a connection tells its owner. */
export interface ConnectionListener {
  /** A call in flight ended, or the server takes more at once: there may be room for another. */
  onRoom?(connection: Http2Connection): void;
  /** It takes no new calls any more; those in flight go on. At most once. */
  onClosing?(connection: Http2Connection): void;
  /** It is gone, and its socket with it. Once. */
  onClosed?(connection: Http2Connection): void;
}

/** How long a closed connection waits for the server to hang up too, in ms, before it drops the socket. */
const LINGER_MS = 500;

/** A call that every Milvus knows, and answers without credentials too, if only with a refusal. */
const GET_VERSION = {
  path: '/milvus.proto.milvus.MilvusService/GetVersion',
  message: Buffer.alloc(0),
  metadata: {},
};

/** One HTTP/2 connection to one Milvus proxy, shared by many calls at once. Carries no identity: every call does. */
export class Http2Connection {
  /**
   * Connects within `connectTimeoutMs`.
   *
   * @throws ConnectError
   */
  static async connect(
    options: Http2ConnectionOptions,
    signal: AbortSignal,
    clock: Clock = systemClock,
  ): Promise<Http2Connection> {
    const { session, socket } = await connectSession(options, signal);
    return new Http2Connection(options, session, socket, clock);
  }

  /** `host:port` of the server. */
  readonly authority: string;
  /** Why it closed or is closing, once it does: for logs. */
  closeReason?: string;
  private readonly streams = new Set<UnaryStream>();
  private readonly context: StreamContext;
  private readonly keepalive: Keepalive;
  private listener: ConnectionListener = {};
  private closed = false;
  private lastProcessedStreamId?: number;
  private linger?: Scheduled;
  /** How often something of the server arrived, and how often in answer to a call. */
  private heard = 0;
  private answers = 0;
  private readonly checks = new Set<(alive: boolean) => void>();
  private serverMaxStreams: number;

  private constructor(
    options: Http2ConnectionOptions,
    private readonly session: ClientHttp2Session,
    private readonly socket: Socket,
    private readonly clock: Clock,
  ) {
    this.authority = describeAddress(options.address);
    this.context = this.createStreamContext(options);
    const peer = { ping: () => this.ping(), dead: () => this.destroy('it answered no PING') };
    this.keepalive = new Keepalive(options.keepalive, peer, clock);
    this.serverMaxStreams = maxStreamsOf(session);
    session.on('goaway', (code, lastStreamId) => this.onGoaway(code, lastStreamId));
    session.on('remoteSettings', () => {
      this.serverMaxStreams = maxStreamsOf(session);
      this.listener.onRoom?.(this);
    });
    session.once('close', () => this.onClosed());
    // The session follows its socket a moment later; until then it would take calls that never leave.
    socket.once('close', () => session.destroy());
    // After an error of TLS it need not close by itself.
    socket.once('error', () => socket.destroy());
    if (session.destroyed) queueMicrotask(() => this.onClosed());
  }

  /** Calls on the wire. */
  get inFlight(): number {
    return this.streams.size;
  }

  /** Whether it takes new calls. */
  get open(): boolean {
    return this.closeReason === undefined && !this.died;
  }

  /** Most calls at once that the server says it takes. */
  get maxStreams(): number {
    return this.serverMaxStreams;
  }

  /** Whether the server itself has said that it takes no more calls here. */
  get saidGoaway(): boolean {
    return this.lastProcessedStreamId !== undefined;
  }

  /** Names the one owner that is told of what happens to this connection, and of what has happened already. */
  listen(listener: ConnectionListener): void {
    this.listener = listener;
    if (this.closeReason !== undefined) listener.onClosing?.(this);
    if (this.closed) listener.onClosed?.(this);
  }

  /** Sends one unary RPC. Never throws: what goes wrong is the attempt's outcome. */
  send(request: UnaryRequest): Attempt {
    const stream = new UnaryStream(this.context, request);
    if (stream.ended) return stream;
    this.streams.add(stream);
    if (this.streams.size === 1) this.keepalive.callsBegan();
    return stream;
  }

  /**
   * Whether the server says anything within `limitMs`. It is asked by PING, and dropped if it does not answer for
   * `keepalive.timeoutMs`. Where no call has been answered yet it is asked by one: a full Milvus answers no PING before
   * the first request of a connection.
   */
  check(limitMs: number): Promise<boolean> {
    if (this.died) return Promise.resolve(false);
    return new Promise(resolve => {
      // A timer that is late because this process stood still comes before what arrived meanwhile: look at that first.
      let limit = this.clock.schedule(() => {
        limit = this.clock.schedule(() => settle(false), 0);
      }, limitMs);
      const settle = (alive: boolean) => {
        this.checks.delete(settle);
        limit.cancel();
        resolve(alive);
      };
      this.checks.add(settle);
      if (this.heard > 0 || this.streams.size > 0) this.keepalive.ask();
      else this.send({ ...GET_VERSION, timeoutMs: limitMs });
    });
  }

  /** Takes no new calls, lets those in flight end, then closes. */
  close(reason = 'closed by the client'): void {
    this.startClosing(reason);
    if (this.streams.size === 0) this.hangUp();
  }

  /** Ends it now, and every call on it. */
  destroy(reason = 'closed by the client'): void {
    this.startClosing(reason);
    // Not now: this may run within, or in a microtask of, a stream's 'end' or 'trailers', and Node 20 then corrupts its
    // heap.
    setImmediate(() => {
      this.session.destroy();
      this.socket.destroy();
    });
  }

  private get died(): boolean {
    return this.session.destroyed || this.socket.destroyed;
  }

  private createStreamContext(options: Http2ConnectionOptions): StreamContext {
    const connection = this;
    return {
      session: this.session,
      scheme: options.tls ? 'https' : 'http',
      authority: this.authority,
      maxReceiveBytes: options.maxReceiveBytes,
      clock: this.clock,
      get open() {
        return connection.open;
      },
      get connectionDied() {
        return connection.died;
      },
      get lastProcessedStreamId() {
        return connection.lastProcessedStreamId;
      },
      get heard() {
        return connection.heard;
      },
      get answers() {
        return connection.answers;
      },
      onReceived: () => {
        this.answers++;
        this.onReceived();
      },
      onUsedUp: () => this.close('its stream ids are used up'),
      onEnded: stream => this.onStreamEnded(stream),
    };
  }

  private onReceived(): void {
    this.heard++;
    this.keepalive.received();
    if (this.checks.size > 0) this.settleChecks(true);
  }

  private settleChecks(alive: boolean): void {
    for (const settle of this.checks) settle(alive);
  }

  private onStreamEnded(stream: UnaryStream): void {
    if (!this.streams.delete(stream)) return;
    if (this.streams.size === 0) {
      this.keepalive.callsEnded();
      if (this.closeReason !== undefined) this.hangUp();
    }
    this.listener.onRoom?.(this);
  }

  private onGoaway(code: number, lastStreamId: number): void {
    this.lastProcessedStreamId = lastStreamId;
    this.startClosing(`the server sent GOAWAY (${http2ErrorName(code)})`);
    // Not every Node version ends the streams that the server will never look at.
    for (const stream of this.streams) stream.refuseAbove(lastStreamId);
    if (this.streams.size === 0) this.hangUp();
  }

  private startClosing(reason: string): void {
    if (this.closeReason !== undefined) return;
    this.closeReason = reason;
    if (!this.closed) this.listener.onClosing?.(this);
  }

  /** Says GOAWAY and waits a moment for the server to close; a peer that is gone would keep the socket for ever. */
  private hangUp(): void {
    if (this.closed || this.linger) return;
    this.linger = this.clock.schedule(() => this.socket.destroy(), LINGER_MS);
    this.session.close();
  }

  private onClosed(): void {
    if (this.closed) return;
    this.startClosing('the connection broke');
    this.closed = true;
    this.linger?.cancel();
    this.keepalive.stop();
    this.settleChecks(false);
    this.listener.onClosed?.(this);
  }

  private ping(): void {
    if (this.died) return;
    this.session.ping(error => {
      if (!error) this.onReceived();
    });
  }
}

function maxStreamsOf(session: ClientHttp2Session): number {
  return session.remoteSettings?.maxConcurrentStreams ?? Number.POSITIVE_INFINITY;
}

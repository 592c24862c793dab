import {
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
  type Settings,
} from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';

/** One TCP connection, as the server saw it. */
export interface StubConnection {
  readonly id: number;
  /** Below TLS: destroying it is what a dying process does. */
  readonly socket: Socket;
  /** Undefined until the TLS handshake and ALPN are through. */
  session: ServerHttp2Session | undefined;
  open: boolean;
  /** Calls whose headers arrived and whose answer has not ended. */
  inFlight: number;
  maxInFlight: number;
  calls: number;
  /** PING frames the client sent (not its acknowledgements). */
  pings: number;
  /** Writes bytes between two frames of the session, so that frames can be sent that Node would refuse to send. */
  writeRaw(bytes: Buffer): void;
}

export interface StubTls {
  key: string | Buffer;
  cert: string | Buffer;
  ca?: string | Buffer;
  /** Refuse clients without a certificate of `ca`. */
  requestCert?: boolean;
}

export interface StubConnectionsOptions {
  host: string;
  tls?: StubTls;
  onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: StubConnection): void;
  onPing(): void;
  onError(error: Error): void;
  /** A connection came or went. */
  onChange(): void;
}

/** Listens, and keeps track of connections from TCP up. */
export class StubConnections {
  /** Every connection accepted. */
  all: StubConnection[] = [];

  private listener: Server | undefined;
  private http2: Http2Server | undefined;
  private lastId = 0;
  /** The connection whose session is being made: Node makes it within the 'connection' event. */
  private accepting: StubConnection | undefined;
  private readonly bySocketPort = new Map<number, StubConnection>();
  private readonly bySession = new WeakMap<object, StubConnection>();

  constructor(private readonly options: StubConnectionsOptions) {}

  get open(): StubConnection[] {
    return this.all.filter(({ open }) => open);
  }

  /** Resolves to the port. */
  listen(port: number, settings: Settings | undefined): Promise<number> {
    this.http2 = this.createHttp2(settings);
    this.listener = this.options.tls ? this.createTls(this.options.tls, this.http2) : this.http2;
    const { listener } = this;
    // Ahead of Node's own listener, which makes the session of a plain connection.
    listener.prependListener('connection', (socket: Socket) => this.accept(socket));
    return new Promise((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(port, this.options.host, () => resolve((listener.address() as AddressInfo).port));
    });
  }

  updateSettings(settings: Settings): void {
    this.http2?.updateSettings(settings);
    for (const { session } of this.open) session?.settings(settings);
  }

  drop(how: 'fin' | 'rst'): void {
    for (const { socket } of this.open) {
      if (how === 'rst') socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  /** Takes no new connections. Resolves when the last old one is gone. */
  close(): Promise<void> {
    const { listener } = this;
    if (!listener) return Promise.resolve();
    this.listener = undefined;
    return new Promise(resolve => {
      listener.close(() => resolve());
    });
  }

  private createHttp2(settings: Settings | undefined): Http2Server {
    const options: ServerOptions & { noDelay: boolean; streamResetBurst: number; streamResetRate: number } = {
      ...(settings && { settings }),
      // As Go's servers do; else small frames wait for the acknowledgement of the one before.
      noDelay: true,
      maxSessionMemory: 1000,
      // Node's guard against rapid resets would take a test that cancels much for an attack.
      streamResetBurst: 1_000_000,
      streamResetRate: 1_000_000,
    };
    const http2 = createServer(options);
    http2.on('session', session => this.began(session));
    http2.on('stream', (stream, headers) => {
      const connection = stream.session && this.bySession.get(stream.session);
      if (connection) this.options.onStream(stream, headers, connection);
    });
    http2.on('sessionError', error => this.options.onError(error));
    return http2;
  }

  private createTls(tls: StubTls, http2: Http2Server): Server {
    const server = createTlsServer({
      ...tls,
      noDelay: true,
      rejectUnauthorized: tls.requestCert === true,
      ALPNProtocols: ['h2'],
    });
    server.on('secureConnection', socket => {
      const connection = this.bySocketPort.get(socket.remotePort ?? 0);
      if (!connection || socket.alpnProtocol !== 'h2') {
        socket.destroy();
        return;
      }
      connection.writeRaw = bytes => {
        if (socket.writable) socket.write(bytes);
      };
      this.accepting = connection;
      // Not createSecureServer(): Node aborts when anyone but the session writes to a TLS socket that a session owns.
      http2.emit('connection', overTls(socket));
    });
    server.on('tlsClientError', error => this.options.onError(error));
    return server;
  }

  private accept(socket: Socket): void {
    this.lastId += 1;
    const connection: StubConnection = {
      id: this.lastId,
      socket,
      session: undefined,
      open: true,
      inFlight: 0,
      maxInFlight: 0,
      calls: 0,
      pings: 0,
      writeRaw: bytes => writeBetween(socket, bytes),
    };
    this.all.push(connection);
    this.accepting = connection;
    const port = socket.remotePort ?? 0;
    this.bySocketPort.set(port, connection);
    socket.on('error', () => {});
    socket.once('close', () => {
      connection.open = false;
      if (this.bySocketPort.get(port) === connection) this.bySocketPort.delete(port);
      this.options.onChange();
    });
    this.options.onChange();
  }

  private began(session: ServerHttp2Session): void {
    const connection = this.accepting!;
    connection.session = session;
    this.bySession.set(session, connection);
    session.on('error', () => {});
    session.on('ping', () => {
      connection.pings += 1;
      this.options.onPing();
    });
    this.options.onChange();
  }
}

/** Writes to a socket whose handle an HTTP/2 session owns. */
function writeBetween(socket: Socket, bytes: Buffer): void {
  if (socket.destroyed) return;
  // Node aborts when such a write does not complete at once, so it waits for the session's own writes to leave.
  const { writeQueueSize } = (socket as unknown as { _handle: { writeQueueSize: number } })._handle;
  if (writeQueueSize > 0) setImmediate(() => writeBetween(socket, bytes));
  else socket.write(bytes);
}

/** The bytes inside TLS, as a stream that is not a socket. */
function overTls(socket: TLSSocket): Duplex {
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk, _encoding, done) => socket.write(chunk, done),
    final: done => socket.end(done),
    destroy: (error, done) => {
      socket.destroy();
      done(error);
    },
  });
  socket.on('data', chunk => {
    if (!duplex.push(chunk)) socket.pause();
  });
  socket.once('end', () => duplex.push(null));
  socket.on('error', () => {});
  socket.once('close', () => duplex.destroy());
  duplex.on('error', () => {});
  return duplex;
}

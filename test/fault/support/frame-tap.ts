import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface Frame {
  type: string;
  flags: number;
  streamId: number;
  payload: Buffer;
}

const TYPES = [
  'DATA',
  'HEADERS',
  'PRIORITY',
  'RST_STREAM',
  'SETTINGS',
  'PUSH_PROMISE',
  'PING',
  'GOAWAY',
  'WINDOW_UPDATE',
  'CONTINUATION',
];

/** Stands between a client and a plaintext HTTP/2 server and notes each frame the server really sent. */
export class FrameTap {
  readonly frames: Frame[] = [];

  private readonly sockets = new Set<Socket>();
  private readonly server: Server;

  static async start(target: string): Promise<FrameTap> {
    const tap = new FrameTap(target);
    await new Promise<void>(resolve => {
      tap.server.listen(0, '127.0.0.1', resolve);
    });
    return tap;
  }

  private constructor(target: string) {
    const [host, port] = target.split(':');
    this.server = createServer({ noDelay: true }, client => {
      const upstream = connect({ host: host!, port: Number(port), noDelay: true });
      let rest: Buffer = Buffer.alloc(0);
      upstream.on('data', chunk => {
        rest = this.note(Buffer.concat([rest, chunk]));
      });
      for (const socket of [client, upstream]) {
        this.sockets.add(socket);
        socket.on('error', () => {});
      }
      upstream.pipe(client);
      client.pipe(upstream);
      upstream.once('close', () => client.destroySoon());
      client.once('close', () => upstream.destroy());
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  of(type: string, streamId?: number): Frame[] {
    return this.frames.filter(
      frame => frame.type === type && (streamId ?? frame.streamId) === frame.streamId,
    );
  }

  /** The frames of one stream in their order, an END_STREAM flag shown as `!`. */
  stream(streamId: number): string[] {
    return this.frames
      .filter(frame => frame.streamId === streamId && frame.type !== 'WINDOW_UPDATE')
      .map(({ type, flags }) =>
        (type === 'DATA' || type === 'HEADERS') && (flags & 1) !== 0 ? `${type}!` : type,
      );
  }

  async stop(): Promise<void> {
    const closed = new Promise(resolve => {
      this.server.close(resolve);
    });
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private note(bytes: Buffer): Buffer {
    let at = 0;
    while (bytes.length - at >= 9) {
      const end = at + 9 + bytes.readUIntBE(at, 3);
      if (end > bytes.length) break;
      this.frames.push({
        type: TYPES[bytes.readUInt8(at + 3)] ?? 'UNKNOWN',
        flags: bytes.readUInt8(at + 4),
        streamId: bytes.readUInt32BE(at + 5),
        payload: bytes.subarray(at + 9, end),
      });
      at = end;
    }
    return bytes.subarray(at);
  }
}

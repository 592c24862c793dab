import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

export const frame = (type: number, flags: number, streamId: number, payload: number[] = []): Buffer => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
};

/** Empty SETTINGS, and the acknowledgement of the client's. */
export const SETTINGS = Buffer.concat([frame(4, 0, 0), frame(4, 1, 0)]);
/** DATA on stream 0, which is never allowed. */
export const PROTOCOL_VIOLATION = frame(0, 0, 0, [7]);

const literal = (text: string) => [text.length, ...Buffer.from(text)];

/** A trailers-only answer on stream 1, the first one: HTTP 200 and this grpc-status. */
export const statusOnStream1 = (status: number): Buffer =>
  frame(1, 0x4 | 0x1, 1, [
    0x88,
    ...[0, ...literal('content-type'), ...literal('application/grpc')],
    ...[0, ...literal('grpc-status'), ...literal(String(status))],
  ]);

/** A TCP server that does what it is told with every connection, and keeps reading. */
export class RawServer {
  readonly sockets: Socket[] = [];
  private readonly server: Server;

  static async start(greet: (socket: Socket) => void = () => {}): Promise<RawServer> {
    const raw = new RawServer(greet);
    await new Promise<void>(resolve => {
      raw.server.listen(0, '127.0.0.1', resolve);
    });
    return raw;
  }

  private constructor(greet: (socket: Socket) => void) {
    this.server = createServer(socket => {
      this.sockets.push(socket);
      socket.on('error', () => {});
      socket.resume();
      greet(socket);
    });
  }

  get address(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get open(): number {
    return this.sockets.filter(socket => !socket.destroyed).length;
  }

  async stop(): Promise<void> {
    const closed = new Promise(resolve => {
      this.server.close(resolve);
    });
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }
}

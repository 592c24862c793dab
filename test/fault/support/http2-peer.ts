import { once } from 'node:events';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from 'node:http2';
import { frame, type Message, milvusService } from '../../support/stub-server.js';

/** All a client sees of one call. */
export interface Seen {
  id: number;
  headers: IncomingHttpHeaders | undefined;
  /** Whether the headers were the answer's end, as in a trailers-only answer. */
  headersOnly: boolean;
  body: Buffer;
  trailers: IncomingHttpHeaders | undefined;
  /** Whether the server ended the stream in order. */
  ended: boolean;
  rstCode: number;
  error: Error | undefined;
}

const END_STREAM = 1;

/** A client on nothing but node:http2, which hides nothing of what a server sends. */
export class Http2Peer {
  readonly goaways: { code: number; lastStreamId: number }[] = [];

  private constructor(readonly session: ClientHttp2Session) {
    session.on('goaway', (code, lastStreamId) => this.goaways.push({ code, lastStreamId }));
    session.on('error', () => {});
  }

  static async connect(
    address: string,
    options: SecureClientSessionOptions & { tls?: boolean } = {},
  ): Promise<Http2Peer> {
    const session = connect(`${options.tls ? 'https' : 'http'}://${address}`, options);
    const peer = new Http2Peer(session);
    const closed = once(session, 'close').then(() => {
      throw new Error('the server closed the connection');
    });
    await Promise.race([once(session, 'remoteSettings'), closed]);
    closed.catch(() => {});
    return peer;
  }

  /** Opens the stream of a call and sends the request, whole unless `body` says otherwise. */
  open(rpc: string, message: Message = {}, headers: OutgoingHttpHeaders = {}): ClientHttp2Stream {
    const definition = milvusService[rpc];
    const stream = this.session.request({
      ':method': 'POST',
      ':path': definition?.path ?? rpc,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => {});
    stream.end(frame(Buffer.from(definition?.requestSerialize(message) ?? [])));
    return stream;
  }

  call(rpc: string, message?: Message, headers?: OutgoingHttpHeaders): Promise<Seen> {
    return seen(this.open(rpc, message, headers));
  }

  destroy(): void {
    // A session destroyed within one of its own stream's events corrupts Node's heap (20.20).
    setImmediate(() => this.session.destroy());
  }
}

/** Follows a stream to its close. */
export function seen(stream: ClientHttp2Stream): Promise<Seen> {
  const result: Seen = {
    id: 0,
    headers: undefined,
    headersOnly: false,
    body: Buffer.alloc(0),
    trailers: undefined,
    ended: false,
    rstCode: 0,
    error: undefined,
  };
  stream.on('response', (headers, flags) => {
    result.headers = headers;
    result.headersOnly = (flags & END_STREAM) !== 0;
  });
  stream.on('trailers', trailers => {
    result.trailers = trailers;
  });
  stream.on('data', (chunk: Buffer) => {
    result.body = Buffer.concat([result.body, chunk]);
  });
  stream.on('error', error => {
    result.error = error;
  });
  return new Promise(resolve => {
    stream.once('close', () => {
      result.id = stream.id ?? 0;
      result.rstCode = stream.rstCode ?? 0;
      // Node ends a stream without an error, too, when its session dies after a clean GOAWAY.
      result.ended = result.rstCode === 0 && result.error === undefined && result.headers !== undefined;
      resolve(result);
    });
  });
}

/** The message in a body that is one gRPC frame. */
export function decoded(rpc: string, body: Buffer): Message {
  const length = body.readUInt32BE(1);
  if (body.length !== length + 5) throw new Error(`not one frame: ${body.length} bytes for ${length}`);
  return milvusService[rpc]!.responseDeserialize(body.subarray(5));
}

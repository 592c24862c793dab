import type { OutgoingHttpHeaders } from 'node:http2';
import { gzipSync } from 'node:zlib';
import type { Message } from './stub-answers.js';
import type { StubCall } from './stub-call.js';

/** What the server does with one call. */
export interface Behaviour {
  (call: StubCall): void;
  /** Runs as soon as the headers arrive; the request's body is then never read. */
  atHeaders?: boolean;
}

const OK: OutgoingHttpHeaders = { 'grpc-status': '0' };
const GRPC: OutgoingHttpHeaders = { ':status': 200, 'content-type': 'application/grpc' };

/** One gRPC frame: flag, length, message. */
export function frame(message: Buffer, { compressed = false, length = message.length } = {}): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(length, 1);
  return Buffer.concat([head, message]);
}

/** As the gRPC specification has it: what is not printable ASCII, and the percent sign itself, goes as %XX of its UTF-8. */
export function percentEncode(text: string): string {
  return [...Buffer.from(text)]
    .map(byte =>
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
    )
    .join('');
}

function send(call: StubCall, headers: OutgoingHttpHeaders, body: Buffer, trailers?: OutgoingHttpHeaders) {
  if (!call.open) return;
  const { stream } = call;
  stream.respond(headers, { waitForTrailers: trailers !== undefined });
  if (trailers) {
    stream.once('wantTrailers', () => {
      call.end();
      stream.sendTrailers(trailers);
    });
  } else {
    stream.once('finish', () => call.end());
  }
  stream.end(body);
}

function sendOnlyHeaders(call: StubCall, headers: OutgoingHttpHeaders) {
  if (!call.open) return;
  call.end();
  call.stream.respond(headers, { endStream: true });
}

/** A good answer: `message`, or what the server answers by default. `trailers` replace the OK status. */
export function answer(
  message?: Message,
  { trailers = OK }: { trailers?: OutgoingHttpHeaders } = {},
): Behaviour {
  return call => send(call, GRPC, frame(call.encode(message ?? call.defaultAnswer())), trailers);
}

/** `message` is the protobuf as it goes on the wire; it gets its gRPC frame and the OK status. */
export function answerRaw(message: Buffer): Behaviour {
  return call => send(call, GRPC, frame(message), OK);
}

/** A gzip answer. `encoding` is what the header claims (false: no header), `corrupt` breaks the compressed bytes. */
export function gzipAnswer(
  message?: Message,
  { encoding = 'gzip', corrupt = false }: { encoding?: string | false; corrupt?: boolean } = {},
): Behaviour {
  return call => {
    const body = gzipSync(call.encode(message ?? call.defaultAnswer()));
    if (corrupt) body.fill(0xff, 10);
    const headers = encoding === false ? GRPC : { ...GRPC, 'grpc-encoding': encoding };
    send(call, headers, frame(body, { compressed: true }), OK);
  };
}

/** A gRPC status, in the headers of an answer that has nothing else, or in the trailers of one with headers of its own. */
export function status(
  code: number,
  message = '',
  { trailersOnly = true, metadata = {} }: { trailersOnly?: boolean; metadata?: OutgoingHttpHeaders } = {},
): Behaviour {
  const fields = { 'grpc-status': String(code), 'grpc-message': percentEncode(message), ...metadata };
  return call => {
    if (trailersOnly) sendOnlyHeaders(call, { ...GRPC, ...fields });
    else send(call, GRPC, Buffer.alloc(0), fields);
  };
}

/** What a proxy or a web server at the address says. */
export function httpStatus(
  code: number,
  { contentType = 'text/html', body = `<html><body>${code}</body></html>` } = {},
): Behaviour {
  return call => send(call, { ':status': code, 'content-type': contentType }, Buffer.from(body));
}

/** A good answer under another content type. */
export function contentType(type: string): Behaviour {
  return call => send(call, { ...GRPC, 'content-type': type }, frame(call.encode(call.defaultAnswer())), OK);
}

export type BadFraming = 'truncated' | 'two-messages' | 'no-message' | 'garbage' | 'huge-length';

/** A body that is not one gRPC message, with the OK status behind it. */
export function badFraming(kind: BadFraming): Behaviour {
  return call => {
    const message = call.encode(call.defaultAnswer());
    const good = frame(message);
    const bodies: Record<BadFraming, Buffer> = {
      truncated: good.subarray(0, -1),
      'two-messages': Buffer.concat([good, good]),
      'no-message': Buffer.alloc(0),
      garbage: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
      'huge-length': frame(message, { length: 0xffff_ffff }),
    };
    send(call, GRPC, bodies[kind], OK);
  };
}

/** Any body and any headers; without trailers the stream ends with its last data frame. */
export function rawAnswer(options: {
  headers?: OutgoingHttpHeaders;
  body?: Buffer;
  trailers?: OutgoingHttpHeaders;
}): Behaviour {
  return call =>
    send(call, { ...GRPC, ...options.headers }, options.body ?? Buffer.alloc(0), options.trailers);
}

/** A good message, and the stream ends without any trailers. */
export function noTrailers(message?: Message): Behaviour {
  return call => send(call, GRPC, frame(call.encode(message ?? call.defaultAnswer())));
}

/** Never answers. */
export function hang(): Behaviour {
  return () => {};
}

export function delay(ms: number, then: Behaviour = answer()): Behaviour {
  return call => call.later(ms, () => then(call));
}

/** Waits for the test: `until(gate, answer())`. */
export function until(gate: Promise<unknown>, then: Behaviour = answer()): Behaviour {
  return call => {
    void gate.then(() => then(call));
  };
}

/** Does what is asked, and then `then`: the client may get to know of it, or not. */
export function executing(then: Behaviour = answer()): Behaviour {
  return call => {
    call.executed = true;
    then(call);
  };
}

/** Runs `behaviour` when the headers arrive, and leaves the request's body unread. */
export function atHeaders(behaviour: Behaviour): Behaviour {
  return Object.assign((call: StubCall) => behaviour(call), { atHeaders: true });
}

export type RstWhen = 'before-headers' | 'after-headers' | 'mid-message';

/** RST_STREAM with `code` (http2.constants.NGHTTP2_…). */
export function rst(code: number, { when = 'before-headers' }: { when?: RstWhen } = {}): Behaviour {
  return call => {
    if (!call.open) return;
    const { stream } = call;
    const reset = () => {
      call.resetByServer = true;
      call.end();
      stream.close(code);
    };
    if (when === 'before-headers') return reset();
    stream.respond(GRPC, { waitForTrailers: true });
    const whole = frame(call.encode(call.defaultAnswer()));
    // nghttp2 drops what is queued on a stream that is reset, so the reset waits until the rest has left.
    if (when === 'mid-message') stream.write(whole.subarray(0, -1), () => setImmediate(reset));
    else setImmediate(() => setImmediate(reset));
  };
}

/**
 * Ends the call's connection. 'socket': FIN without a word, as when the process dies; 'reset': TCP RST; 'session': Node's own
 * way, with a GOAWAY first.
 */
export function destroySession(how: 'socket' | 'reset' | 'session' = 'socket'): Behaviour {
  return ({ connection }) => {
    // A session destroyed within one of its own stream's events corrupts Node's heap (20.20).
    setImmediate(() => {
      if (how === 'session') connection.session?.destroy();
      else if (how === 'reset') connection.socket.resetAndDestroy();
      else connection.socket.destroy();
    });
  };
}

export const MAX_STREAM_ID = 0x7fff_ffff;

/** A GOAWAY frame as bytes. */
export function goawayFrame(code: number, lastStreamId: number): Buffer {
  const bytes = Buffer.alloc(17);
  bytes.writeUIntBE(8, 0, 3);
  bytes.writeUInt8(7, 3);
  bytes.writeUInt32BE(lastStreamId, 9);
  bytes.writeUInt32BE(code, 13);
  return bytes;
}

/**
 * GOAWAY whose last stream id is this call's ('at'), the one before ('below': this call was not processed), 2^31-1 ('max': the
 * first of the two a graceful Go server sends) or a number; then `then`: by default nothing for 'below', else the answer.
 * The server goes on reading, so what a client still sends after it is counted.
 */
export function goaway(
  code = 0,
  lastStreamId: 'at' | 'below' | 'max' | number = 'at',
  then: Behaviour = lastStreamId === 'below' ? hang() : answer(),
): Behaviour {
  return call => {
    const ids = { at: call.streamId, below: Math.max(0, call.streamId - 2), max: MAX_STREAM_ID };
    const last = typeof lastStreamId === 'number' ? lastStreamId : ids[lastStreamId];
    // Not session.goaway(): that one cannot say 0, and closes the streams above the id on the server too.
    call.connection.writeRaw(goawayFrame(code, last));
    then(call);
  };
}

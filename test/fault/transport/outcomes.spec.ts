import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCode } from '../../../lib/transport/grpc-status.js';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import {
  answer,
  answerRaw,
  atHeaders,
  type Behaviour,
  badFraming,
  contentType,
  frame,
  gzipAnswer,
  httpStatus,
  noTrailers,
  rawAnswer,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { versionOf, Wire } from './wire.js';

const LIMIT = 1024 * 1024;

let stub: StubServer;
let wire: Wire;
let connection: Http2Connection;

beforeEach(async () => {
  stub = await StubServer.start();
  wire = new Wire();
  connection = await wire.connect(stub.address, { maxReceiveBytes: LIMIT });
});

afterEach(async () => {
  await wire.end();
  expect(stub.errors).toEqual([]);
  await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  await stub.stop();
});

/** How a call ends that the server treats so. The connection must not suffer. */
async function outcomeOf(behaviour: Behaviour) {
  stub.next('GetVersion', behaviour);
  const outcome = await wire.call(connection);
  await wire.proveUsable(connection);
  return outcome;
}

const fromServer = {
  ok: false,
  processed: 'unknown',
  connectionDied: false,
  origin: 'server',
  silent: false,
  unanswered: false,
  notGrpc: false,
  unreadable: false,
};

/** Milvus answered, and nobody can read it. */
const unreadable = { ...fromServer, origin: 'transport', unreadable: true };

describe('an answer', () => {
  it('is the message, and the request is what gRPC wants', async () => {
    expect(versionOf(await wire.call(connection, 'GetVersion', { metadata: { dbname: 'books' } }))).toBe(
      'v2.6.0-stub',
    );
    const [call] = stub.calls('GetVersion');
    expect(call!.complete).toBe(true);
    expect(call!.metadata).toMatchObject({
      ':method': 'POST',
      ':scheme': 'http',
      ':authority': stub.address,
      ':path': '/milvus.proto.milvus.MilvusService/GetVersion',
      te: 'trailers',
      'content-type': 'application/grpc',
      'grpc-timeout': '10000m',
      'grpc-accept-encoding': 'identity,gzip',
      dbname: 'books',
    });
  });

  it('may be empty', async () => {
    expect(await outcomeOf(answerRaw(Buffer.alloc(0)))).toEqual({ ok: true, message: Buffer.alloc(0) });
  });

  it.each(['application/grpc+proto', 'application/grpc;charset=utf-8'])('may be %s', async type => {
    expect(versionOf(await outcomeOf(contentType(type)))).toBe('v2.6.0-stub');
  });

  it('may be gzip', async () => {
    expect(versionOf(await outcomeOf(gzipAnswer()))).toBe('v2.6.0-stub');
  });

  it('may carry metadata of any kind', async () => {
    const headers = { 'x-trace-bin': 'AAEC', 'set-cookie': ['a', 'b'], 'grpc-encoding': 'identity' };
    const body = frame(Buffer.from('x'));
    const trailers = { 'grpc-status': '0', 'grpc-status-details-bin': 'AAEC', 'grpc-message': '' };
    expect(await outcomeOf(rawAnswer({ headers, body, trailers }))).toEqual({
      ok: true,
      message: Buffer.from('x'),
    });
  });
});

describe('a status', () => {
  it.each([true, false])('that is no OK (trailers-only: %s)', async trailersOnly => {
    for (let code = 1; code <= 17; code += 1) {
      expect(await outcomeOf(status(code, `reason ${code}`, { trailersOnly }))).toEqual({
        ...fromServer,
        code,
        message: `reason ${code}`,
      });
    }
  });

  it.each([true, false])('with a message in any script (trailers-only: %s)', async trailersOnly => {
    const message = '集合不存在 100% – 🙈\n"quoted"';
    expect(await outcomeOf(status(5, message, { trailersOnly }))).toMatchObject({ code: 5, message });
  });

  it('with a message that is not well encoded', async () => {
    const trailers = { 'grpc-status': '13', 'grpc-message': '100%, or 50%zz' };
    expect(await outcomeOf(rawAnswer({ trailers }))).toMatchObject({ code: 13, message: '100%, or 50%zz' });
  });

  it('of a method that nobody knows', async () => {
    const outcome = await wire.call(connection, '/milvus.proto.milvus.MilvusService/Guess');
    expect(outcome).toMatchObject({ ...fromServer, code: GrpcCode.UNIMPLEMENTED });
  });

  it('that is no number counts as UNKNOWN', async () => {
    expect(await outcomeOf(rawAnswer({ trailers: { 'grpc-status': 'fine' } }))).toMatchObject({
      ...fromServer,
      code: GrpcCode.UNKNOWN,
    });
  });

  it('that is no OK counts, although a good message came before it', async () => {
    expect(await outcomeOf(answer(undefined, { trailers: { 'grpc-status': '8' } }))).toMatchObject({
      ...fromServer,
      code: GrpcCode.RESOURCE_EXHAUSTED,
    });
  });

  it('of gRPC counts more than that of HTTP', async () => {
    const headers = { ':status': 503, 'grpc-status': '16' };
    const only: Behaviour = call => {
      call.end();
      call.stream.respond({ ...headers, 'content-type': 'application/grpc' }, { endStream: true });
    };
    expect(await outcomeOf(only)).toMatchObject({ ...fromServer, code: GrpcCode.UNAUTHENTICATED });
  });

  it.each([
    ['after a message', noTrailers()],
    ['after trailers of another kind', rawAnswer({ trailers: { 'x-other': '1' } })],
    [
      'at all',
      ((call: Parameters<Behaviour>[0]) => {
        call.end();
        call.stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { endStream: true });
      }) satisfies Behaviour,
    ],
  ])('must come: none %s', async (_when, behaviour) => {
    const outcome = await outcomeOf(behaviour);
    expect(outcome).toMatchObject({ ok: false, processed: 'unknown', connectionDied: false, notGrpc: false });
    expect([GrpcCode.INTERNAL, GrpcCode.UNKNOWN]).toContain((outcome as { code: number }).code);
    // Nobody reset anything.
    expect(outcome).not.toHaveProperty('resetCode');
    expect((outcome as { message: string }).message).not.toMatch(/reset/);
  });
});

describe('an answer that is not gRPC', () => {
  it.each([
    [404, 'UNIMPLEMENTED'],
    [503, 'UNAVAILABLE'],
    [502, 'UNAVAILABLE'],
    [401, 'UNAUTHENTICATED'],
    [200, 'UNKNOWN'],
    [302, 'UNKNOWN'],
  ] as const)('HTTP %d with a page', async (http, code) => {
    expect(await outcomeOf(httpStatus(http))).toEqual({
      ...fromServer,
      notGrpc: true,
      code: GrpcCode[code],
      message: `the server answered HTTP ${http} with content-type text/html, not gRPC: ${
        code === 'UNAVAILABLE' ? 'a proxy before Milvus has no Milvus to ask' : 'this address is not Milvus'
      }`,
    });
  });

  it('HTTP 200 with JSON, and HTTP 503 without anything', async () => {
    expect(await outcomeOf(httpStatus(200, { contentType: 'application/json', body: '{}' }))).toMatchObject({
      notGrpc: true,
    });
    const bare: Behaviour = call => {
      call.end();
      call.stream.respond({ ':status': 503 }, { endStream: true });
    };
    expect(await outcomeOf(bare)).toMatchObject({ notGrpc: true, code: GrpcCode.UNAVAILABLE });
  });

  it('is not read to its end', async () => {
    const endless: Behaviour = ({ stream }) => {
      stream.respond({ ':status': 200, 'content-type': 'text/html' });
      stream.write('<html>');
    };
    expect(await outcomeOf(atHeaders(endless))).toMatchObject({ notGrpc: true });
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
  });
});

describe('an answer with bad framing', () => {
  it.each([
    ['truncated', 'the answer is cut off'],
    ['two-messages', 'the answer holds more than one message'],
    ['no-message', 'the answer holds no message'],
    ['garbage', 'the answer is not a gRPC message'],
  ] as const)('%s', async (kind, message) => {
    expect(await outcomeOf(badFraming(kind))).toEqual({ ...unreadable, code: GrpcCode.INTERNAL, message });
  });

  it.each([
    ['corrupt', gzipAnswer(undefined, { corrupt: true }), /not valid gzip/],
    ['of another encoding', gzipAnswer(undefined, { encoding: 'snappy' }), /compressed as "snappy"/],
    ['without a word of its encoding', gzipAnswer(undefined, { encoding: false }), /compressed as "unknown"/],
  ] as const)('compressed, but %s', async (_what, behaviour, message) => {
    const outcome = await outcomeOf(behaviour);
    expect(outcome).toMatchObject({ ...unreadable, code: GrpcCode.INTERNAL });
    expect((outcome as { message: string }).message).toMatch(message);
  });
});

describe('an answer over the size limit', () => {
  it('is taken up to the limit, and refused one byte above', async () => {
    expect(await outcomeOf(answerRaw(Buffer.alloc(LIMIT)))).toMatchObject({ ok: true });
    expect(await outcomeOf(answerRaw(Buffer.alloc(LIMIT + 1)))).toMatchObject({
      ...unreadable,
      code: GrpcCode.RESOURCE_EXHAUSTED,
    });
  });

  it('is refused from its prefix on, and the stream is reset', async () => {
    const sends5Bytes: Behaviour = ({ stream }) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(frame(Buffer.alloc(0), { length: 500_000_000 }));
    };
    expect(await outcomeOf(sends5Bytes)).toMatchObject({
      ...unreadable,
      code: GrpcCode.RESOURCE_EXHAUSTED,
      message: expect.stringContaining('The answer of 500000000 bytes is larger than pool.maxReceiveBytes'),
    });
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
    expect(stub.cancelled[0]).toMatchObject({ rpc: 'GetVersion', code: 8 });
  });

  it('is refused also when it came compressed, and below the limit', async () => {
    const bomb = frame(gzipSync(Buffer.alloc(20 * LIMIT)), { compressed: true });
    expect(bomb.length).toBeLessThan(LIMIT);
    const headers = { 'grpc-encoding': 'gzip' };
    const bombs = rawAnswer({ headers, body: bomb, trailers: { 'grpc-status': '0' } });
    expect(await outcomeOf(bombs)).toMatchObject({ ...unreadable, code: GrpcCode.RESOURCE_EXHAUSTED });
  });
});

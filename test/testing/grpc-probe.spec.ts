import { once } from 'node:events';
import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { freePort } from '../../lib/testing/free-port.js';
import { type ProbeOptions, probe } from '../../lib/testing/grpc-probe.js';

let server: Http2Server | undefined;
afterEach(() => {
  server?.close();
});

/** As `probe`, with a limit that a machine which stalls keeps. */
const ask = (address: string, options?: ProbeOptions) =>
  probe(address, 'GetVersion', { timeoutMs: 20_000, ...options });

async function serve(
  answer: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void,
): Promise<string> {
  server = createServer();
  server.on('stream', answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('probe', () => {
  it('asks as a gRPC client does, and reads message and status', async () => {
    let asked: IncomingHttpHeaders = {};
    let request = Buffer.alloc(0);
    const address = await serve((stream, headers) => {
      asked = headers;
      stream.on('data', (chunk: Buffer) => {
        request = Buffer.concat([request, chunk]);
      });
      stream.on('end', () => {
        stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
        stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
        stream.end(Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x00]));
      });
    });
    const answer = await ask(address, { credentials: 'root:Milvus' });
    expect(answer).toEqual({ status: 0, message: '', body: Buffer.from([0x0a, 0x00]) });
    expect(asked).toMatchObject({
      ':method': 'POST',
      ':path': '/milvus.proto.milvus.MilvusService/GetVersion',
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: 'cm9vdDpNaWx2dXM=',
    });
    expect(request).toEqual(Buffer.alloc(5));
  });

  it.each([
    ['no%20such%20user', 'no such user'],
    ['100% wrong', '100% wrong'],
  ])('reads an answer that has only headers, message %j', async (sent, read) => {
    const address = await serve(stream =>
      stream.respond({ 'grpc-status': '16', 'grpc-message': sent }, { endStream: true }),
    );
    await expect(ask(address)).resolves.toMatchObject({ status: 16, message: read });
  });

  it('rejects for a server that does not speak gRPC', async () => {
    const address = await serve(stream => {
      stream.respond({ ':status': 404 });
      stream.end('<html>');
    });
    await expect(ask(address)).rejects.toThrow('not as a gRPC server does');
  });

  it('rejects when nobody listens', async () => {
    await expect(ask(`127.0.0.1:${await freePort()}`)).rejects.toThrow('ECONNREFUSED');
  });

  it('rejects in time when no answer comes', async () => {
    const address = await serve(() => undefined);
    await expect(ask(address, { timeoutMs: 50 })).rejects.toThrow('no answer to GetVersion within 50 ms');
  });

  it('rejects when the connection is cut', async () => {
    const tcp = createTcpServer(socket => socket.once('data', () => socket.destroy())).listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const { port } = tcp.address() as AddressInfo;
    await expect(ask(`127.0.0.1:${port}`)).rejects.toThrow();
    tcp.close();
  });
});

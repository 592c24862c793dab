import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createSecureServer } from 'node:http2';
import { createServer as createHttpsServer, get } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { HttpAdapterHost } from '@nestjs/core';
import { HttpDrain } from '../../lib/http/http-drain.js';
import { type Certificates, makeCertificates } from '../support/certificates.js';
import { durationOf, SOON_MS } from '../support/pooled-client.js';

let folder: string;
let certificates: Certificates;
let server: Server;
let drain: HttpDrain;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http-drain-'));
  certificates = await makeCertificates(folder);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

afterEach(() => {
  drain.onApplicationShutdown();
  server.close();
});

/** The server as any adapter of Nest gives it. */
async function listen(given: Server): Promise<number> {
  server = given;
  drain = new HttpDrain({ httpAdapter: { getHttpServer: () => server } } as HttpAdapterHost);
  drain.onModuleInit();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const answer = (_request: unknown, response: ServerResponse) => response.end('hello');
const identity = () => ({ cert: certificates.server.cert.pem, key: certificates.server.key.pem });

async function connectionHeader(port: number): Promise<string | undefined> {
  const asked = get({ port, host: '127.0.0.1', ca: certificates.ca.pem, agent: false });
  const [response] = await once(asked, 'response');
  response.resume();
  return response.headers.connection;
}

describe('HttpDrain', () => {
  it('on HTTPS: says close, and does not wait for a connection that was never used', async () => {
    const port = await listen(createHttpsServer(identity(), answer));
    const neverUsed = connectTls({ port, host: '127.0.0.1', ca: certificates.ca.pem });
    neverUsed.on('error', () => {});
    await once(neverUsed, 'secureConnect');

    drain.onModuleDestroy();

    expect(await connectionHeader(port)).toBe('close');
    expect(await durationOf(new Promise(resolve => server.close(resolve)))).toBeLessThan(SOON_MS);
  });

  it('on HTTP/2: leaves its answers and its connections alone, and says close to HTTP/1', async () => {
    const headersSet: string[] = [];
    const server = createSecureServer({ ...identity(), allowHTTP1: true }, (request, response) => {
      if (request.httpVersionMajor === 2) response.setHeader = name => void headersSet.push(name);
      response.end('hello');
    });
    const port = await listen(server);
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificates.ca.pem });
    const status = async () => {
      const [headers] = await once(session.request({ ':path': '/' }).resume(), 'response');
      return headers[':status'];
    };
    expect(await status()).toBe(200);

    drain.onModuleDestroy();

    expect(await status()).toBe(200);
    expect(await connectionHeader(port)).toBe('close');
    expect(await status()).toBe(200);
    expect(session.closed).toBe(false);
    expect(headersSet).toEqual([]);
    session.close();
  });

  it('does nothing where there is no server of Node', () => {
    const adapters = [undefined, { getHttpServer: () => undefined }, { getHttpServer: () => ({}) }];
    for (const host of [undefined, ...adapters.map(httpAdapter => ({ httpAdapter }))]) {
      const idle = new HttpDrain(host as HttpAdapterHost);
      idle.onModuleInit();
      idle.onModuleDestroy();
      idle.onApplicationShutdown();
    }
    drain = new HttpDrain();
    server = createHttpServer();
  });
});

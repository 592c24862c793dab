import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ResolvedTls } from '../../../lib/options/resolved-options.js';
import { freePort } from '../../../lib/testing/free-port.js';
import {
  type Certificates,
  makeCertificates,
  makeOutdatedCertificates,
  type OutdatedCertificates,
} from '../../support/certificates.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { pause, SOON_MS } from '../../support/pooled-client.js';
import { goawayFrame, StubServer, type StubTls } from '../../support/stub-server.js';
import { RawServer, SETTINGS } from './raw-server.js';
import { Wire } from './wire.js';

let folder: string;
let certificates: Certificates;
let outdated: OutdatedCertificates;
let wire: Wire;
/** Run after each test, last first. */
let undo: Array<() => unknown>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'connecting-'));
  certificates = await makeCertificates(folder);
  outdated = await makeOutdatedCertificates(certificates);
});

afterAll(() => rm(folder, { recursive: true }));

beforeEach(() => {
  wire = new Wire();
  undo = [];
});

afterEach(async () => {
  await wire.end();
  for (const step of undo.reverse()) await step();
});

async function startStub(tls?: StubTls): Promise<StubServer> {
  const stub = await StubServer.start(tls ? { tls } : {});
  undo.push(async () => {
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    await stub.stop();
  });
  return stub;
}

async function startRaw(...args: Parameters<typeof RawServer.start>): Promise<RawServer> {
  const raw = await RawServer.start(...args);
  undo.push(() => raw.stop());
  return raw;
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  undo.push(() => new Promise(resolve => server.close(resolve)));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serverTls = (more: Partial<StubTls> = {}): StubTls => ({
  key: certificates.server.key.pem,
  cert: certificates.server.cert.pem,
  ...more,
});

const trusting = (more: Partial<ResolvedTls> = {}): ResolvedTls => ({
  ca: certificates.ca.pem,
  rejectUnauthorized: true,
  ...more,
});

const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length;

describe('a connection', () => {
  it('is made in plain text', async () => {
    const stub = await startStub();
    const connection = await wire.connect(stub.address);
    expect([connection.open, connection.authority, connection.inFlight]).toEqual([true, stub.address, 0]);
    await wire.proveUsable(connection);
  });

  it('is made over IPv6', async () => {
    const stub = await StubServer.start({ host: '::1' });
    undo.push(() => stub.stop());
    const connection = await wire.connect(stub.address);
    await wire.proveUsable(connection);
    expect(stub.calls('GetVersion')[0]!.metadata[':authority']).toBe(stub.address);
  });

  it('is made over TLS, under the name that was dialled or another', async () => {
    const stub = await startStub(serverTls());
    for (const tls of [trusting(), trusting({ serverName: 'milvus.test' })]) {
      await wire.proveUsable(await wire.connect(stub.address, { tls }));
    }
    expect(stub.calls('GetVersion')[0]!.metadata[':scheme']).toBe('https');
  });

  it('is made over mutual TLS', async () => {
    const stub = await startStub(serverTls({ ca: certificates.ca.pem, requestCert: true }));
    const { client } = certificates;
    const tls = trusting({ cert: client.cert.pem, key: client.key.pem });
    await wire.proveUsable(await wire.connect(stub.address, { tls }));
  });

  it('is made with a certificate nobody knows, if that is wanted', async () => {
    const stub = await startStub(serverTls());
    await wire.proveUsable(await wire.connect(stub.address, { tls: { rejectUnauthorized: false } }));
  });

  it('leaves no timer of its limit behind', async () => {
    const stub = await startStub();
    const before = timers();
    await wire.connect(stub.address, { connectTimeoutMs: 100_000 });
    expect(timers()).toBe(before);
  });
});

describe('a connection that is refused', () => {
  it('because nobody listens', async () => {
    const error = await wire.refusal(`127.0.0.1:${await freePort()}`);
    expect([error.failure, error.permanent]).toEqual(['unreachable', false]);
    expect(error.remedy).toContain('Check that Milvus runs');
  });

  it('because the host has no address', async () => {
    expect((await wire.refusal('no-such-host.invalid:19530')).failure).toBe('name-not-found');
  });

  it.each(['localhost', '127.0.0.1'])('by %s, and is told once', async host => {
    const before = timers();
    await wire.refusal(`${host}:${await freePort()}`, { connectTimeoutMs: 100_000 });
    expect(timers()).toBe(before);
  });

  it.each([
    ['a server that ends it at once', (socket: { destroy(): unknown }) => socket.destroy()],
    ['a server that resets it at once', (socket: { resetAndDestroy(): unknown }) => socket.resetAndDestroy()],
    ['a server that ends it in order', (socket: { end(): unknown }) => socket.end()],
  ])('by %s', async (_what, greet) => {
    const raw = await startRaw(greet);
    expect((await wire.refusal(raw.address)).failure).toBe('unreachable');
  });
});

describe('a hard time limit', () => {
  it.each([undefined, { rejectUnauthorized: false }])(
    'on a port that accepts and says nothing (TLS: %j)',
    async tls => {
      const raw = await startRaw();
      const startMs = performance.now();
      // Long enough to see that the connection was accepted.
      const error = await wire.refusal(raw.address, { connectTimeoutMs: 400, ...(tls && { tls }) });
      expect([error.failure, error.permanent]).toEqual(['timeout', false]);
      expect(error.message).toMatch(
        tls ? /TLS handshake did not finish within/ : /accepted, but the server did not say anything within/,
      );
      expect(performance.now() - startMs).toBeGreaterThan(395);
      expect(performance.now() - startMs).toBeLessThan(SOON_MS);
      await wire.until(() => raw.open === 0);
    },
  );

  it('on a black hole', async () => {
    const stub = await startStub();
    const proxy = await FaultProxy.start({ target: stub.address });
    undo.push(() => proxy.stop());
    proxy.blackholeNew();
    expect((await wire.refusal(proxy.address, { connectTimeoutMs: 100 })).failure).toBe('timeout');
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });

  it('on an address where no packet comes back', async () => {
    // TEST-NET-1: routed nowhere, or refused by the network we are in.
    const startMs = performance.now();
    const error = await wire.refusal('192.0.2.1:19530', { connectTimeoutMs: 150 });
    expect(['timeout', 'unreachable']).toContain(error.failure);
    expect(performance.now() - startMs).toBeLessThan(SOON_MS);
  });

  it('over all of it: bytes that trickle in do not extend it', async () => {
    const raw = await startRaw(socket => {
      const trickle = setInterval(() => socket.write(SETTINGS.subarray(0, 1)), 20);
      socket.once('close', () => clearInterval(trickle));
    });
    const startMs = performance.now();
    const error = await wire.refusal(raw.address, { connectTimeoutMs: 100 });
    // One zero byte after another is the head of a DATA frame on stream 0.
    expect(['timeout', 'not-http2', 'unreachable']).toContain(error.failure);
    expect(performance.now() - startMs).toBeLessThan(SOON_MS);
  });
});

describe('a connection that is not wanted any more', () => {
  it('is given up, and the socket closed', async () => {
    const raw = await startRaw();
    const wanted = new AbortController();
    const refusal = wire.refusal(raw.address, { signal: wanted.signal, connectTimeoutMs: 100_000 });
    await wire.until(() => raw.open === 1);
    const before = timers();
    wanted.abort();
    expect((await refusal).failure).toBe('cancelled');
    expect(timers()).toBe(before - 1);
    await wire.until(() => raw.open === 0);
  });

  it('is not even begun', async () => {
    const stub = await startStub();
    expect((await wire.refusal(stub.address, { signal: AbortSignal.abort() })).failure).toBe('cancelled');
  });

  it('is kept once it is there', async () => {
    const stub = await startStub();
    const wanted = new AbortController();
    const connection = await wire.connect(stub.address, { signal: wanted.signal });
    wanted.abort();
    await wire.proveUsable(connection);
  });
});

describe('a server that does not speak HTTP/2', () => {
  it('but HTTP/1', async () => {
    const address = await listening(createHttpServer((_request, response) => response.end()));
    const error = await wire.refusal(address);
    expect([error.failure, error.permanent]).toEqual(['not-http2', true]);
    expect(error.message).toContain('does not speak HTTP/2, so it is not Milvus');
  });

  it('but HTTP/1 over TLS', async () => {
    const tls = { key: certificates.server.key.pem, cert: certificates.server.cert.pem };
    const address = await listening(createHttpsServer(tls, (_request, response) => response.end()));
    const error = await wire.refusal(address, { tls: trusting() });
    expect([error.failure, error.permanent]).toEqual(['not-http2', true]);
  });

  it.each(['220 mail.example ESMTP\r\n', 'SSH-2.0-OpenSSH_9.6\r\n', '-ERR unknown command\r\n'])(
    'but greets with %j',
    async greeting => {
      const raw = await startRaw(socket => socket.write(greeting));
      const error = await wire.refusal(raw.address, { connectTimeoutMs: 300 });
      expect(['not-http2', 'timeout']).toContain(error.failure);
    },
  );
});

describe('TLS that does not fit', () => {
  const expectTlsToBeTheRemedy = async (address: string) => {
    let error = await wire.refusal(address);
    // The question whether TLS is spoken has half a second: on a machine that stalls the next try has the answer.
    for (let again = 0; again < 3 && error.failure === 'unreachable'; again += 1) {
      error = await wire.refusal(address);
    }
    expect([error.failure, error.permanent]).toEqual(['tls', true]);
    expect(error.message).toBe(`${address}: the server expects TLS`);
    expect(error.remedy).toBe('Use https:// in `address`, or set `tls`');
  };

  it.each([false, true])(
    'plain text to a TLS port (that wants a client certificate: %s)',
    async requestCert => {
      const stub = await startStub(serverTls({ ca: certificates.ca.pem, requestCert }));
      await expectTlsToBeTheRemedy(stub.address);
    },
  );

  it('plain text to a TLS port that hangs up without a word, as Milvus does', async () => {
    const tls = createTlsServer(serverTls());
    tls.on('tlsClientError', () => {});
    const raw = await startRaw(socket => {
      socket.once('data', (first: Buffer) => {
        if (first.toString('latin1').startsWith('PRI ')) return socket.end();
        socket.pause().unshift(first);
        tls.emit('connection', socket);
      });
    });
    await expectTlsToBeTheRemedy(raw.address);
    await wire.until(() => raw.open === 0);
  });

  it('a server that hangs up is asked for TLS, but not for long', async () => {
    const raw = await startRaw(socket => {
      // The second one is the question whether TLS is spoken.
      if (raw.sockets.length === 1) socket.destroy();
    });
    const startMs = performance.now();
    const error = await wire.refusal(raw.address, { connectTimeoutMs: 100_000 });
    expect([error.failure, raw.sockets.length]).toEqual(['unreachable', 2]);
    expect(performance.now() - startMs).toBeLessThan(5_000);
    await wire.until(() => raw.open === 0);
  });

  it('a server that hangs up late is asked for TLS within the limit', async () => {
    const raw = await startRaw(socket => {
      if (raw.sockets.length === 1) setTimeout(() => socket.destroy(), 50);
    });
    const refusal = wire.refusal(raw.address, { connectTimeoutMs: 400 });
    // However late a machine that stalls runs its timers, it runs them in the order in which they are due.
    expect(await Promise.race([refusal, pause(500)])).toMatchObject({ failure: 'unreachable' });
  });

  it('a server that hangs up is not asked for TLS any more when the connection is not wanted', async () => {
    const wanted = new AbortController();
    const raw = await startRaw(socket => {
      if (raw.sockets.length === 1) socket.destroy();
      else wanted.abort();
    });
    const before = timers();
    await wire.refusal(raw.address, { signal: wanted.signal, connectTimeoutMs: 100_000 });
    expect(timers()).toBe(before);
    await wire.until(() => raw.open === 0);
  });

  it('TLS to a plain port', async () => {
    const stub = await startStub();
    const error = await wire.refusal(stub.address, { tls: trusting() });
    expect([error.failure, error.permanent]).toEqual(['tls', true]);
    expect(error.message).toMatch(/does not speak TLS/);
  });

  it.each([
    ['the wrong authority', () => trusting({ ca: certificates.otherCa.pem }), /trusted authority/, /tls.ca/],
    ['no authority', () => ({ rejectUnauthorized: true }), /trusted authority/, /tls.ca/],
    ['the wrong name', () => trusting({ serverName: 'other.test' }), /another name/, /tls.serverName/],
  ])('%s', async (_what, tls, message, remedy) => {
    const stub = await startStub(serverTls());
    const error = await wire.refusal(stub.address, { tls: tls() });
    expect([error.failure, error.permanent]).toEqual(['tls', true]);
    expect(error.message).toMatch(message);
    expect(error.remedy).toMatch(remedy);
  });

  it.each([
    ['no client certificate', () => trusting()],
    [
      'a client certificate of the wrong authority',
      () => trusting({ cert: certificates.otherClient.cert.pem, key: certificates.otherClient.key.pem }),
    ],
  ])('%s: at once, and with the remedy', async (_what, tls) => {
    const stub = await startStub(serverTls({ ca: certificates.ca.pem, requestCert: true }));
    const error = await wire.refusal(stub.address, { tls: tls(), connectTimeoutMs: 100_000 });
    expect(error.remedy).toMatch(/tls\.cert|client certificate/);
  });

  it.each([
    ['expired', () => outdated.expiredServer, /has expired: certificate has expired/, /Renew/],
    ['not valid yet', () => outdated.futureServer, /is not valid yet/, /clock/],
  ])('a certificate that is %s', async (_what, identity, message, remedy) => {
    const stub = await startStub({ key: identity().key.pem, cert: identity().cert.pem });
    const error = await wire.refusal(stub.address, { tls: trusting() });
    expect([error.failure, error.permanent]).toEqual(['tls', true]);
    expect(error.message).toMatch(message);
    expect(error.remedy).toMatch(remedy);
  });

  it('a certificate and a key that do not belong together', async () => {
    const stub = await startStub(serverTls({ ca: certificates.ca.pem, requestCert: true }));
    const tls = trusting({ cert: certificates.client.cert.pem, key: certificates.otherClient.key.pem });
    const error = await wire.refusal(stub.address, { tls });
    expect(error.failure).toBe('tls');
  });
});

describe('the name that a server is called by', () => {
  /** The name the server heard, and what the client makes of it: this server is none of HTTP/2, so it hangs up at the latest. */
  async function greet(host: string, serverName?: string): Promise<{ heard: string; says: string }> {
    const heard: string[] = [];
    const hear = (socket: Duplex) => {
      heard.push((socket as TLSSocket & { servername?: string | false }).servername || 'none');
      socket.destroy();
    };
    const server = createTlsServer({ ...serverTls(), ALPNProtocols: ['h2'] }, hear);
    // A client that does not like the certificate hangs up itself.
    server.on('tlsClientError', (_error, socket) => hear(socket));
    const address = (await listening(server)).replace('127.0.0.1', host);
    const error = await wire.refusal(address, {
      tls: trusting(serverName === undefined ? {} : { serverName }),
    });
    await wire.until(() => heard.length > 0);
    return { heard: heard[0]!, says: error.message };
  }

  const GOOD = /closed the connection before it was usable/;
  const BAD = /certificate is for another name/;

  it.each([
    ['the host of its address', 'localhost', undefined, 'localhost', GOOD],
    ['none, for an IP address', '127.0.0.1', undefined, 'none', GOOD],
    ['the one in tls.serverName', '127.0.0.1', 'milvus.test', 'milvus.test', GOOD],
    ['the one in tls.serverName, without a dot at its end', '127.0.0.1', 'milvus.test.', 'milvus.test', GOOD],
    ['none, for an IP address in tls.serverName', 'localhost', '127.0.0.1', 'none', GOOD],
    ['one that its certificate is not for', '127.0.0.1', 'other.test', 'other.test', BAD],
    ['none, for an IP address that its certificate is not for', 'localhost', '127.0.0.9', 'none', BAD],
  ])('is %s', async (_what, host, serverName, heard, says) => {
    expect(await greet(host, serverName)).toEqual({ heard, says: expect.stringMatching(says) });
  });
});

describe('a connection that ends as soon as it is made', () => {
  it.each([
    ['GOAWAY', goawayFrame(0, 0), false],
    ['GOAWAY with an error', goawayFrame(2, 0), false],
    ['the end', Buffer.alloc(0), true],
    ['GOAWAY and the end', goawayFrame(0, 0), true],
  ] as const)('%s behind the settings is not missed', async (_what, bytes, end) => {
    const raw = await startRaw(socket => {
      socket.write(Buffer.concat([SETTINGS, bytes]));
      if (end) socket.end();
    });
    for (let i = 0; i < 20; i += 1) {
      // Either answer is right. What matters is that the owner hears of it.
      const connection = await wire.connect(raw.address).catch(() => undefined);
      if (connection) {
        await wire.until(() => !connection.open);
        expect(await wire.call(connection)).toMatchObject({ ok: false, processed: 'no' });
      }
    }
    wire.clock.advance(10_000);
    await wire.until(() => raw.open === 0);
  });
});

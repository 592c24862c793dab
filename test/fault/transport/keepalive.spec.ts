import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCode } from '../../../lib/transport/grpc-status.js';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import { makeCertificates } from '../../support/certificates.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { answer, type Behaviour, hang, StubServer } from '../../support/stub-server.js';
import { PROTOCOL_VIOLATION, RawServer, SETTINGS } from './raw-server.js';
import { versionOf, Wire } from './wire.js';

const keepalive = { intervalMs: 1_000, timeoutMs: 200, withoutCalls: false };
const dead = {
  ok: false,
  code: GrpcCode.UNAVAILABLE,
  processed: 'unknown',
  connectionDied: true,
  origin: 'transport',
  notGrpc: false,
  unreadable: false,
};

let stub: StubServer;
let proxy: FaultProxy;
let wire: Wire;
let connection: Http2Connection;
/** Stopped after the test. */
let raws: RawServer[];

async function startRaw(...args: Parameters<typeof RawServer.start>): Promise<RawServer> {
  const raw = await RawServer.start(...args);
  raws.push(raw);
  return raw;
}

beforeEach(async () => {
  stub = await StubServer.start();
  proxy = await FaultProxy.start({ target: stub.address });
  wire = new Wire();
  raws = [];
  connection = await wire.connect(proxy.address, { keepalive });
});

afterEach(async () => {
  for (const raw of raws) await raw.stop();
  await wire.end();
  // The end of a connection, too, goes through only now.
  proxy.resume();
  await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  await proxy.stop();
  await stub.stop();
});

/** What became of each PING, once it is known. */
function answersToPings(of: Http2Connection): unknown[] {
  const { session } = of as unknown as { session: { ping(answered: (error: unknown) => void): boolean } };
  const ping = session.ping.bind(session);
  const answers: unknown[] = [];
  session.ping = answered =>
    ping(error => {
      answers.push(error);
      answered(error);
    });
  return answers;
}

describe('keepalive', () => {
  it('asks nothing on an idle connection', async () => {
    await wire.proveUsable(connection);
    for (let i = 0; i < 10; i += 1) wire.clock.advance(60_000);
    await wire.proveUsable(connection);
    expect([stub.pings, connection.open]).toEqual([0, true]);
    // The last call began the watch; it finds nothing to watch and ends.
    wire.clock.advance(1_000);
    expect([stub.pings, wire.clock.pending]).toEqual([0, 0]);
  });

  it('asks an idle connection when told to', async () => {
    const watched = await wire.connect(stub.address, { keepalive: { ...keepalive, withoutCalls: true } });
    wire.clock.advance(1_000);
    await stub.waitFor(({ pings }) => pings === 1);
    await wire.proveUsable(watched);
  });

  it('asks once after silence under a call, and again after the answer and more silence', async () => {
    stub.next('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 100_000 });
    wire.clock.advance(999);
    await wire.proveUsable(connection);
    expect(stub.pings).toBe(0);
    for (let i = 1; i <= 3; i += 1) {
      wire.clock.advance(i === 1 ? 1_000 : 800);
      await stub.waitFor(({ pings }) => pings === i);
      // The answer is a frame of its own: that of a later call comes behind it.
      await wire.call(connection);
      wire.clock.advance(200);
      expect([stub.pings, connection.open]).toEqual([i, true]);
    }
    call.cancel();
  });

  it('takes the answer alone for a sign of life', async () => {
    stub.next('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 100_000 });
    const answers = answersToPings(connection);
    for (let i = 1; i <= 3; i += 1) {
      wire.clock.advance(i === 1 ? 1_000 : 800);
      await wire.until(() => answers.length === i);
      wire.clock.advance(200);
      expect([stub.pings, connection.open]).toEqual([i, true]);
    }
    expect(answers).toEqual([null, null, null]);
    call.cancel();
  });

  it('does not ask while bytes come', async () => {
    let stream: Parameters<Behaviour>[0]['stream'] | undefined;
    stub.next('Search', call => {
      stream = call.stream;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
    });
    const call = wire.send(connection, 'Search', { timeoutMs: 100_000 });
    await wire.until(() => stream !== undefined);
    for (let i = 0; i < 10; i += 1) {
      await wire.call(connection);
      wire.clock.advance(700);
    }
    expect(stub.pings).toBe(0);
    call.cancel();
  });

  it('ends a connection in a black hole, and all calls on it', async () => {
    const calls = Array.from({ length: 5 }, () => wire.send(connection, 'Search', { timeoutMs: 100_000 }));
    proxy.pause();
    wire.clock.advance(1_199);
    expect(connection.open).toBe(true);
    wire.clock.advance(1);
    for (const { outcome } of calls) expect(await outcome).toMatchObject(dead);
    expect([connection.open, connection.closeReason]).toEqual([false, 'it answered no PING']);
    expect(await wire.call(connection)).toMatchObject({ processed: 'no', connectionDied: true });
    await wire.closed(connection);
  });

  it.each(['toServer', 'toClient'] as const)(
    'ends a connection that lets nothing through %s',
    async direction => {
      stub.always('Search', hang());
      proxy.pause(direction);
      const call = wire.send(connection, 'Search', { timeoutMs: 100_000 });
      wire.clock.advance(1_000);
      if (direction === 'toClient') await stub.waitFor(({ pings }) => pings === 1);
      wire.clock.advance(200);
      expect(await call.outcome).toMatchObject(dead);
    },
  );

  it('takes an answer that is late, but in time, for a sign of life', async () => {
    stub.always('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 100_000 });
    proxy.pause('toClient');
    wire.clock.advance(1_000);
    await stub.waitFor(({ pings }) => pings === 1);
    wire.clock.advance(199);
    proxy.resume();
    await wire.call(connection);
    wire.clock.advance(1);
    expect(connection.open).toBe(true);
    call.cancel();
  });

  it('finds a server that hangs although it has closed nothing', async () => {
    const raw = await startRaw(socket => socket.write(SETTINGS));
    const hung = await wire.connect(raw.address, { keepalive });
    const call = wire.send(hung, 'GetVersion', { timeoutMs: 100_000 });
    wire.clock.advance(1_200);
    expect(await call.outcome).toMatchObject(dead);
    await wire.until(() => raw.open === 0);
  });

  it('finds a connection on which the server broke the protocol: Node then reads no more, and says nothing', async () => {
    const raw = await startRaw(socket => socket.write(SETTINGS));
    const broken = await wire.connect(raw.address, { keepalive });
    const call = wire.send(broken, 'GetVersion', { timeoutMs: 100_000 });
    raw.sockets[0]!.write(PROTOCOL_VIOLATION);
    wire.clock.advance(1_000);
    wire.clock.advance(200);
    expect(await call.outcome).toMatchObject(dead);
  });

  it('stops with the connection', async () => {
    stub.always('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 100_000 });
    connection.destroy();
    await call.outcome;
    await wire.closed(connection);
    expect(wire.clock.pending).toBe(0);
    wire.clock.advance(100_000);
    expect(stub.pings).toBe(0);
  });

  it('lets a call go on that takes longer than any interval', async () => {
    let finish = () => {};
    stub.next('GetVersion', call => {
      finish = () => answer()(call);
    });
    const call = wire.call(connection, 'GetVersion', { timeoutMs: 1_000_000 });
    await stub.waitFor(({ received }) => received.length === 1);
    for (let i = 1; i <= 20; i += 1) {
      wire.clock.advance(1_000);
      await stub.waitFor(({ pings }) => pings === i);
      await wire.call(connection, 'HasCollection');
    }
    finish();
    expect(versionOf(await call)).toBe('v2.6.0-stub');
  });
});

it('a TLS stream that is garbled on the way ends the connection at once, without any timer', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'garbled-'));
  const { ca, server } = await makeCertificates(folder);
  const secure = await StubServer.start({ tls: { key: server.key.pem, cert: server.cert.pem } });
  const clients: Socket[] = [];
  const garbler = createServer(client => {
    const upstream = connectTcp(Number(secure.address.split(':')[1]), '127.0.0.1');
    clients.push(client);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', chunk => to.write(chunk));
      from.on('error', () => {});
      from.on('close', () => to.destroy());
    }
  });
  await new Promise<void>(resolve => {
    garbler.listen(0, '127.0.0.1', resolve);
  });
  const tls = { ca: ca.pem, rejectUnauthorized: true };
  const garbled = await wire.connect(`127.0.0.1:${(garbler.address() as AddressInfo).port}`, { tls });
  await wire.proveUsable(garbled);
  secure.always('Search', hang());
  const call = wire.send(garbled, 'Search', { timeoutMs: 100_000 });
  await secure.waitFor(({ inFlight }) => inFlight === 1);
  // A TLS record of application data that nobody has the key of.
  clients[0]!.write(Buffer.concat([Buffer.from([0x17, 3, 3, 0, 64]), Buffer.alloc(64, 7)]));
  expect(await call.outcome).toMatchObject(dead);
  await wire.closed(garbled);
  garbler.close();
  await secure.stop();
  await rm(folder, { recursive: true });
});

import { constants } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCode } from '../../../lib/transport/grpc-status.js';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import {
  answer,
  answerRaw,
  atHeaders,
  type Behaviour,
  frame,
  hang,
  rawAnswer,
  StubServer,
  status,
} from '../../support/stub-server.js';
import { RawServer, SETTINGS, statusOnStream1 } from './raw-server.js';
import { versionOf, Wire } from './wire.js';

const MEGABYTE = 1024 * 1024;
const { NGHTTP2_CANCEL } = constants;

let stub: StubServer;
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
  wire = new Wire();
  raws = [];
  connection = await wire.connect(stub.address);
});

afterEach(async () => {
  for (const raw of raws) await raw.stop();
  await wire.end();
  expect(stub.errors).toEqual([]);
  await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  await stub.stop();
});

const cancelled = {
  ok: false,
  code: GrpcCode.CANCELLED,
  message: 'cancelled by the caller',
  origin: 'caller',
  connectionDied: false,
  notGrpc: false,
  unreadable: false,
};

/** Answered when the test says so. */
function held(rpc: string): () => void {
  const calls: Parameters<Behaviour>[0][] = [];
  stub.always(rpc, call => {
    calls.push(call);
  });
  return () => {
    for (const call of calls.splice(0)) answer()(call);
  };
}

describe('cancel', () => {
  it('ends the call at once and tells the server', async () => {
    stub.next('Search', hang());
    const call = wire.send(connection, 'Search');
    await stub.waitFor(({ received }) => received.length === 1);
    call.cancel();
    expect(connection.inFlight).toBe(0);
    expect(await call.outcome).toEqual({
      ...cancelled,
      processed: 'unknown',
      silent: true,
      unanswered: true,
    });
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
    expect(stub.cancelled[0]).toMatchObject({ rpc: 'Search', code: NGHTTP2_CANCEL });
    await wire.proveUsable(connection);
  });

  it('before anything has left, and amid an answer', async () => {
    const early = wire.send(connection, 'Search');
    early.cancel();
    expect(await early.outcome).toMatchObject(cancelled);
    const half: Behaviour = ({ stream }) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      stream.write(frame(Buffer.alloc(10), { length: 20 }));
    };
    stub.next('Query', half);
    const late = wire.send(connection, 'Query');
    await stub.waitFor(() => stub.count('Query') === 1);
    late.cancel();
    expect(await late.outcome).toMatchObject(cancelled);
    await wire.proveUsable(connection);
  });

  it('does nothing to a call that has ended, nor twice', async () => {
    const call = wire.send(connection);
    const outcome = await call.outcome;
    call.cancel();
    call.cancel();
    expect(await call.outcome).toBe(outcome);
    expect(outcome.ok).toBe(true);
    await wire.proveUsable(connection);
    expect(stub.cancelled).toEqual([]);
  });

  it('of one call out of many leaves the others alone', async () => {
    const finish = held('Search');
    const calls = Array.from({ length: 20 }, () => wire.send(connection, 'Search'));
    await stub.waitFor(() => stub.count('Search') === 20);
    for (const call of calls.slice(0, 10)) call.cancel();
    await stub.waitFor(({ cancelled }) => cancelled.length === 10);
    finish();
    const ends = await Promise.all(calls.map(({ outcome }) => outcome));
    expect(ends.map(({ ok }) => ok)).toEqual([...Array(10).fill(false), ...Array(10).fill(true)]);
  });

  it('in a storm keeps the connection', async () => {
    stub.always('Search', hang());
    for (let round = 0; round < 20; round += 1) {
      const calls = Array.from({ length: 50 }, () => wire.send(connection, 'Search'));
      if (round % 2 === 0) await stub.waitFor(({ inFlight }) => inFlight > 0);
      for (const call of calls) call.cancel();
    }
    await stub.waitFor(({ inFlight }) => inFlight === 0);
    await wire.proveUsable(connection);
  });
});

describe('the deadline', () => {
  it('is told to the server, ends the call, and resets the stream', async () => {
    stub.next('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 2_345.6 });
    await stub.waitFor(({ received }) => received.length === 1);
    expect(stub.received[0]!.metadata['grpc-timeout']).toBe('2346m');
    wire.clock.advance(2_345);
    expect(connection.inFlight).toBe(1);
    wire.clock.advance(1);
    expect(await call.outcome).toEqual({
      ok: false,
      code: GrpcCode.DEADLINE_EXCEEDED,
      message: 'no answer within 2346 ms',
      processed: 'unknown',
      connectionDied: false,
      origin: 'caller',
      silent: true,
      unanswered: true,
      notGrpc: false,
      unreadable: false,
    });
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
    expect(stub.cancelled[0]!.code).toBe(NGHTTP2_CANCEL);
    await wire.proveUsable(connection);
  });

  it('tells what was heard until then: nothing, an answer to a PING, or one to another call', async () => {
    stub.always('Search', hang());
    const heardOf = async (sign: () => Promise<unknown>) => {
      const call = wire.send(connection, 'Search', { timeoutMs: 1_000 });
      await sign();
      wire.clock.advance(1_000);
      return call.outcome;
    };

    const nothing = () => stub.waitFor(({ inFlight }) => inFlight === 1);
    expect(await heardOf(nothing)).toMatchObject({ silent: true, unanswered: true });
    const ping = () => connection.check(500);
    expect(await heardOf(ping)).toMatchObject({ silent: false, unanswered: true });
    const otherCall = () => wire.proveUsable(connection);
    expect(await heardOf(otherCall)).toMatchObject({ silent: false, unanswered: false });
  });

  it('is waited for longer by who ends it himself, and the server is told the same', async () => {
    stub.next('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 2_000, graceMs: 50 });
    await stub.waitFor(({ received }) => received.length === 1);
    expect(stub.received[0]!.metadata['grpc-timeout']).toBe('2000m');
    wire.clock.advance(2_049);
    expect(connection.inFlight).toBe(1);
    wire.clock.advance(1);
    expect(await call.outcome).toMatchObject({
      code: GrpcCode.DEADLINE_EXCEEDED,
      message: 'no answer within 2000 ms',
    });
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
  });

  it.each([0, -1])(
    'that has passed already (%d ms) ends the call, and the server is still told a positive one',
    async timeoutMs => {
      stub.next('Search', hang());
      const call = wire.send(connection, 'Search', { timeoutMs });
      await stub.waitFor(({ received }) => received.length === 1);
      expect(stub.received[0]!.metadata['grpc-timeout']).toBe('1m');
      wire.clock.advance(0);
      expect(await call.outcome).toMatchObject({ code: GrpcCode.DEADLINE_EXCEEDED });
    },
  );

  it('leaves no timer behind when the answer came', async () => {
    await wire.call(connection, 'GetVersion', { timeoutMs: 50_000 });
    // The keepalive's look.
    wire.clock.advance(30_000);
    expect(wire.clock.pending).toBe(0);
  });
});

describe('large messages', () => {
  it('come through whole, both ways', async () => {
    const name = 'x'.repeat(20 * MEGABYTE);
    expect(
      await wire.call(connection, 'HasCollection', { request: { collection_name: name } }),
    ).toMatchObject({
      ok: true,
    });
    expect((stub.calls('HasCollection')[0]!.request['collection_name'] as string).length).toBe(20 * MEGABYTE);
    const bytes = Buffer.alloc(20 * MEGABYTE, 'milvus');
    stub.next('Search', answerRaw(bytes));
    const outcome = await wire.call(connection, 'Search');
    expect(outcome.ok && outcome.message.equals(bytes)).toBe(true);
  });

  it('come through whole in pieces of any size, with latency', async () => {
    const proxy = await FaultProxy.start({ target: stub.address });
    proxy.latency(2);
    const slow = await wire.connect(proxy.address);
    stub.on('Search', () => answerRaw(Buffer.alloc(MEGABYTE, 'milvus')));
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => wire.call(slow, 'Search')));
    for (const outcome of outcomes) expect(outcome.ok && outcome.message.length).toBe(MEGABYTE);
    slow.destroy();
    await wire.closed(slow);
    await proxy.stop();
  });

  it.each([
    ['trailers-only', () => status(8, 'too much')],
    ['with trailers', () => status(8, 'too much', { trailersOnly: false })],
  ] as const)(
    'an early answer (%s) during a large upload ends the call and the upload',
    async (_kind, refuse) => {
      stub.next('Insert', atHeaders(refuse()));
      const request = { collection_name: 'x'.repeat(20 * MEGABYTE) };
      expect(await wire.call(connection, 'Insert', { request })).toMatchObject({
        ok: false,
        code: 8,
        message: 'too much',
        origin: 'server',
      });
      // Else the stream, its 20 MB and its share of the server's limit would stay for as long as the connection.
      await stub.waitFor(() => stub.calls('Insert')[0]!.stream.destroyed);
      await wire.until(() => connection['session'].state.outboundQueueSize === 0);
      await wire.proveUsable(connection);
    },
  );

  it('an early answer ends the upload also when the server leaves it to us', async () => {
    let received = Buffer.alloc(0);
    const raw = await startRaw(socket => {
      socket.write(SETTINGS);
      socket.on('data', chunk => {
        if (received.length === 0) setImmediate(() => socket.write(statusOnStream1(8)));
        received = Buffer.concat([received, chunk]);
      });
    });
    const other = await wire.connect(raw.address);
    const request = { collection_name: 'x'.repeat(20 * MEGABYTE) };
    expect(await wire.call(other, 'Insert', { request })).toMatchObject({ code: 8, origin: 'server' });
    // RST_STREAM of stream 1.
    await wire.until(() => received.includes(Buffer.from([0, 0, 4, 3, 0, 0, 0, 0, 1])));
    other.destroy();
    await wire.closed(other);
  });

  it('an early good answer during a large upload counts', async () => {
    stub.next(
      'Insert',
      atHeaders(rawAnswer({ body: frame(Buffer.from('ok')), trailers: { 'grpc-status': '0' } })),
    );
    const request = { collection_name: 'x'.repeat(20 * MEGABYTE) };
    expect(await wire.call(connection, 'Insert', { request })).toEqual({
      ok: true,
      message: Buffer.from('ok'),
    });
    await stub.waitFor(() => stub.calls('Insert')[0]!.stream.destroyed);
    await wire.proveUsable(connection);
  });

  it('cancel during a large upload frees the connection', async () => {
    stub.next('Insert', atHeaders(hang()));
    const call = wire.send(connection, 'Insert', { request: { collection_name: 'x'.repeat(20 * MEGABYTE) } });
    await stub.waitFor(() => stub.count('Insert') === 1);
    call.cancel();
    expect(await call.outcome).toMatchObject(cancelled);
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
    await wire.proveUsable(connection);
  });
});

describe('many calls at once', () => {
  it('100 on one connection are all on the wire together, and each gets its own answer', async () => {
    const finish = held('DescribeCollection');
    const calls = Array.from({ length: 100 }, (_, i) =>
      wire.call(connection, 'DescribeCollection', { request: { collection_name: `c${i}` } }),
    );
    await stub.waitFor(() => stub.count('DescribeCollection') === 100);
    expect([connection.inFlight, stub.connectionsOpen]).toEqual([100, 1]);
    finish();
    const outcomes = await Promise.all(calls);
    outcomes.forEach((outcome, i) => {
      expect(outcome.ok && outcome.message.includes(`c${i}`)).toBe(true);
    });
    expect(connection.inFlight).toBe(0);
  });
});

describe('close', () => {
  it('lets calls in flight finish, takes no new ones, and leaves no socket', async () => {
    const finish = held('GetVersion');
    const calls = Array.from({ length: 10 }, () => wire.call(connection));
    await stub.waitFor(({ received }) => received.length === 10);
    connection.close();
    expect([connection.open, connection.inFlight]).toEqual([false, 10]);
    connection.close();
    finish();
    for (const call of calls) expect(versionOf(await call)).toBe('v2.6.0-stub');
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect(connection.closeReason).toBe('closed by the client');
  });

  it('refuses a call that comes after it, unsent, also while others are in flight', async () => {
    const finish = held('Search');
    const search = wire.call(connection, 'Search');
    await stub.waitFor(({ received }) => received.length === 1);
    connection.close();
    expect(await wire.call(connection)).toMatchObject({
      ok: false,
      code: GrpcCode.UNAVAILABLE,
      processed: 'no',
    });
    finish();
    expect((await search).ok).toBe(true);
    await wire.closed(connection);
    expect(stub.count('GetVersion')).toBe(0);
  });

  it('of an idle connection is over at once', async () => {
    connection.close();
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect(wire.clock.pending).toBe(0);
  });

  it('right behind the last call is over at once', async () => {
    await wire.call(connection);
    connection.close();
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });

  it('does not wait for a server that does not hang up', async () => {
    const raw = await startRaw(socket => {
      socket.write(SETTINGS);
      socket.on('end', () => {});
    });
    const deaf = await wire.connect(raw.address);
    raw.sockets[0]!.pause();
    const call = wire.send(deaf);
    deaf.close();
    call.cancel();
    expect(await call.outcome).toMatchObject(cancelled);
    wire.clock.advance(500);
    await wire.closed(deaf);
  });

  it('ends with the deadline of its last call', async () => {
    stub.always('Search', hang());
    const call = wire.send(connection, 'Search', { timeoutMs: 1_000 });
    await stub.waitFor(({ received }) => received.length === 1);
    connection.close();
    wire.clock.advance(1_000);
    expect(await call.outcome).toMatchObject({ code: GrpcCode.DEADLINE_EXCEEDED });
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });
});

describe('destroy', () => {
  it('ends every call once, and leaves no socket and no timer', async () => {
    stub.always('Search', hang());
    const ends: string[] = [];
    const calls = Array.from({ length: 100 }, (_, i) => {
      const call = wire.send(connection, 'Search');
      void call.outcome.then(() => ends.push(String(i)));
      return call;
    });
    await stub.waitFor(() => stub.count('Search') === 100);
    connection.destroy();
    for (const { outcome } of calls) {
      expect(await outcome).toMatchObject({
        ok: false,
        code: GrpcCode.UNAVAILABLE,
        processed: 'unknown',
        connectionDied: true,
      });
    }
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect([ends.length, new Set(ends).size, connection.inFlight, wire.clock.pending]).toEqual([
      100, 100, 0, 0,
    ]);
  });

  it('ends calls of which nothing has left yet', async () => {
    const calls = Array.from({ length: 10 }, () => wire.call(connection));
    connection.destroy();
    for (const outcome of await Promise.all(calls))
      expect(outcome).toMatchObject({ ok: false, connectionDied: true });
    await wire.closed(connection);
  });

  it('may be called again, and after close()', async () => {
    stub.always('Search', hang());
    const call = wire.call(connection, 'Search');
    connection.close();
    connection.destroy();
    connection.destroy();
    connection.close();
    expect(await call).toMatchObject({ ok: false });
    await wire.closed(connection);
    connection.destroy();
  });

  it('from within what follows on an answer is harmless', async () => {
    // Node 20 aborts, not always at once, when a session is destroyed there.
    for (let round = 0; round < 50; round += 1) {
      const other = await wire.connect(stub.address);
      const outcomes = [wire.call(other), wire.call(other)];
      void outcomes[0]!.then(() => other.destroy());
      await Promise.all(outcomes);
      await wire.closed(other);
    }
  });
});

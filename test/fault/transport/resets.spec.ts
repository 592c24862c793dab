import { constants } from 'node:http2';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCode } from '../../../lib/transport/grpc-status.js';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import { grpcCodeOfReset, http2ErrorName } from '../../../lib/transport/http2-error.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { gate } from '../../support/pooled-client.js';
import {
  answer,
  answerRaw,
  type Behaviour,
  destroySession,
  frame,
  goaway,
  hang,
  rst,
  StubServer,
  until,
} from '../../support/stub-server.js';
import { versionOf, Wire } from './wire.js';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants;

let stub: StubServer;
let proxy: FaultProxy;
let wire: Wire;
let connection: Http2Connection;

beforeEach(async () => {
  stub = await StubServer.start();
  proxy = await FaultProxy.start({ target: stub.address });
  wire = new Wire();
  connection = await wire.connect(proxy.address);
});

afterEach(async () => {
  await wire.end();
  await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  await proxy.stop();
  await stub.stop();
});

const codes = Array.from({ length: 13 }, (_, i) => i + 1);
const transport = { ok: false, origin: 'transport', notGrpc: false, unreadable: false };
const streamReset = { ...transport, connectionDied: false };
const died = { ...transport, code: GrpcCode.UNAVAILABLE, connectionDied: true };

/** An answer of which everything but the end has been sent. */
const begins: Behaviour = ({ stream }) => {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.write(frame(Buffer.alloc(10), { length: 20 }));
};

describe('a stream that the server resets', () => {
  it.each(codes.map(code => [http2ErrorName(code), code] as const))(
    'before any header, with %s',
    async (name, resetCode) => {
      stub.next('GetVersion', rst(resetCode));
      expect(await wire.call(connection)).toEqual({
        ...streamReset,
        code: grpcCodeOfReset(resetCode),
        message: `the server reset the stream (${name})`,
        processed: resetCode === NGHTTP2_REFUSED_STREAM ? 'no' : 'unknown',
        silent: expect.any(Boolean),
        unanswered: false,
        resetCode,
      });
      await wire.proveUsable(connection);
    },
  );

  it.each(['after-headers', 'mid-message'] as const)(
    '%s may have been processed, whatever the code',
    async when => {
      for (const resetCode of [NGHTTP2_REFUSED_STREAM, NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM]) {
        stub.next('GetVersion', rst(resetCode, { when }));
        expect(await wire.call(connection)).toMatchObject({
          ...streamReset,
          code: grpcCodeOfReset(resetCode),
          processed: 'unknown',
          resetCode,
        });
      }
      await wire.proveUsable(connection);
    },
  );

  it('with NO_ERROR before it answered', async () => {
    stub.next('GetVersion', rst(NGHTTP2_NO_ERROR));
    expect(await wire.call(connection)).toMatchObject({
      ...streamReset,
      code: GrpcCode.INTERNAL,
      processed: 'unknown',
    });
    await wire.proveUsable(connection);
  });

  it('leaves its neighbours alone', async () => {
    stub.next('Search', hang());
    const neighbour = wire.send(connection, 'Search');
    stub.next('GetVersion', rst(NGHTTP2_REFUSED_STREAM));
    expect(await wire.call(connection)).toMatchObject({ processed: 'no' });
    expect(connection.inFlight).toBe(1);
    neighbour.cancel();
    expect(await neighbour.outcome).toMatchObject({ code: GrpcCode.CANCELLED });
  });
});

describe('GOAWAY', () => {
  const goaways = [0, 1, 2, 11].map(code => [http2ErrorName(code), code] as const);

  it.each(goaways)('%s above its last id: not processed', async (name, code) => {
    stub.next('GetVersion', goaway(code, 'below'));
    expect(await wire.call(connection)).toMatchObject({
      ...transport,
      code: GrpcCode.UNAVAILABLE,
      processed: 'no',
    });
    await wire.closed(connection);
    expect(connection.closeReason).toBe(`the server sent GOAWAY (${name})`);
  });

  it.each(goaways)(
    '%s: of several calls only those above the last id are known to be unprocessed',
    async (_name, code) => {
      stub.always('Search', hang());
      const calls = [1, 2, 3, 4].map(() => wire.send(connection, 'Search'));
      await stub.waitFor(() => stub.count('Search') === 4);
      stub.goaway(code, stub.calls('Search')[1]!.streamId);
      const above = await Promise.all(calls.slice(2).map(({ outcome }) => outcome));
      expect(above.map(outcome => outcome.ok || outcome.processed)).toEqual(['no', 'no']);
      proxy.cut();
      const below = await Promise.all(calls.slice(0, 2).map(({ outcome }) => outcome));
      expect(below).toMatchObject([
        { ...died, processed: 'unknown' },
        { ...died, processed: 'unknown' },
      ]);
    },
  );

  it('NO_ERROR lets the calls up to its last id be answered; then the connection is closed', async () => {
    const neighbour = wire.send(connection, 'HasCollection');
    stub.next('GetVersion', goaway(NGHTTP2_NO_ERROR, 'at'));
    const call = wire.call(connection);
    expect(await neighbour.outcome).toMatchObject({ ok: true });
    expect(versionOf(await call)).toBe('v2.6.0-stub');
    expect(connection.open).toBe(false);
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });

  it('in two steps, as Go servers do', async () => {
    stub.always('Search', hang());
    const calls = [wire.send(connection, 'Search'), wire.send(connection, 'Search')];
    await stub.waitFor(({ inFlight }) => inFlight === 2);
    stub.goaway(NGHTTP2_NO_ERROR, 'max');
    stub.goaway(NGHTTP2_NO_ERROR, 1);
    expect(await calls[1]!.outcome).toMatchObject({ processed: 'no' });
    expect(connection.inFlight).toBe(1);
    calls[0]!.cancel();
    await wire.closed(connection);
  });

  it('takes no new calls: they are refused, unsent, without harm to those in flight', async () => {
    let finish = () => {};
    stub.next('Search', call => {
      finish = () => answer()(call);
    });
    const search = wire.send(connection, 'Search');
    await stub.waitFor(({ inFlight }) => inFlight === 1);
    stub.goaway(NGHTTP2_NO_ERROR, 'max');
    await wire.until(() => !connection.open);
    expect(await wire.call(connection)).toMatchObject({
      ...transport,
      code: GrpcCode.UNAVAILABLE,
      processed: 'no',
    });
    expect(stub.count('GetVersion')).toBe(0);
    finish();
    expect(await search.outcome).toMatchObject({ ok: true });
  });

  it('is told to an owner who begins to listen only after it', async () => {
    const told: string[] = [];
    const listener = {
      onClosing: () => told.push(`closing, open: ${connection.open}`),
      onClosed: () => told.push('closed'),
    };
    stub.always('Search', hang());
    const call = wire.send(connection, 'Search');
    await stub.waitFor(({ received }) => received.length === 1);
    stub.goaway();
    await wire.until(() => !connection.open);
    connection.listen(listener);
    expect(told).toEqual(['closing, open: false']);
    call.cancel();
    await wire.until(() => told.length === 2);
    connection.listen(listener);
    expect(told).toEqual(['closing, open: false', 'closed', 'closing, open: false', 'closed']);
    wire.forget(connection);
  });

  it('on an idle connection closes it', async () => {
    stub.goaway();
    await wire.closed(connection);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });

  it('does not take an answer back that has begun', async () => {
    stub.next('GetVersion', call => {
      begins(call);
      setImmediate(() => stub.goaway(NGHTTP2_NO_ERROR, 0));
    });
    expect(await wire.call(connection)).toMatchObject({ ...transport, processed: 'unknown' });
    await wire.closed(connection);
  });

  it('from a server that shuts down in order costs no call', async () => {
    const { opened, open } = gate();
    stub.always('GetVersion', until(opened));
    const calls = Array.from({ length: 20 }, () => wire.call(connection));
    await stub.waitFor(({ inFlight }) => inFlight === 20);
    const down = stub.shutdown();
    await wire.until(() => !connection.open);
    open();
    for (const outcome of await Promise.all(calls)) expect(outcome.ok).toBe(true);
    await wire.closed(connection);
    await down;
  });
});

describe('a connection that dies', () => {
  it.each(['socket', 'reset', 'session'] as const)(
    'under a call (%s): it may have been processed',
    async how => {
      stub.next('GetVersion', destroySession(how));
      expect(await wire.call(connection)).toMatchObject({
        ...transport,
        code: GrpcCode.UNAVAILABLE,
        processed: 'unknown',
      });
      await wire.closed(connection);
      expect(connection.open).toBe(false);
    },
  );

  it.each(['socket', 'reset', 'session'] as const)('before a call (%s): it was not processed', async how => {
    stub.next('GetVersion', destroySession(how));
    await wire.call(connection);
    await wire.closed(connection);
    for (let i = 0; i < 2; i += 1) {
      expect(await wire.call(connection)).toMatchObject({ ...died, processed: 'no' });
    }
    expect(stub.count()).toBe(1);
  });

  it.each(['cut', 'reset'] as const)('by %s: all calls end, each once, and no more can begin', async how => {
    stub.always('Search', hang());
    const calls = Array.from({ length: 25 }, () => wire.send(connection, 'Search'));
    await stub.waitFor(({ inFlight }) => inFlight === 25);
    proxy[how]();
    for (const { outcome } of calls) expect(await outcome).toMatchObject({ ...died, processed: 'unknown' });
    // It is not open any more as soon as its first call has ended so.
    expect(connection.open).toBe(false);
  });

  it.each([
    ['headers', begins],
    ['half an answer', answerRaw(Buffer.alloc(1_000_000))],
  ] as const)('after %s', async (_what, behaviour) => {
    stub.next('GetVersion', behaviour);
    proxy.cutAfterBytes(200_000, 'toClient', 'rst');
    const call = wire.send(connection);
    await stub.waitFor(({ received }) => received.length === 1);
    if (behaviour === begins) proxy.reset();
    expect(await call.outcome).toMatchObject({ ...died, processed: 'unknown' });
  });

  it.each([1, 9, 20, 60, 80])('after %d bytes of its next answer', async bytes => {
    stub.next('GetVersion', answerRaw(Buffer.alloc(200)));
    proxy.cutAfterBytes(bytes, 'toClient');
    expect(await wire.call(connection)).toMatchObject({
      ...transport,
      code: GrpcCode.UNAVAILABLE,
      processed: 'unknown',
    });
    await wire.closed(connection);
  });

  it('amid a large request', async () => {
    stub.always('Insert', hang());
    proxy.cutAfterBytes(100_000, 'toServer', 'rst');
    const call = wire.send(connection, 'Insert', { request: { collection_name: 'x'.repeat(5_000_000) } });
    expect(await call.outcome).toMatchObject({ ...died, processed: 'unknown' });
  });
});

describe('a server’s limit of streams', () => {
  it('is told, and told again when it changes', async () => {
    expect(connection.maxStreams).toBeGreaterThan(1_000);
    stub.updateSettings({ maxConcurrentStreams: 7 });
    await wire.until(() => connection.maxStreams === 7);
    stub.updateSettings({ maxConcurrentStreams: 9 });
    await wire.until(() => connection.maxStreams === 9);
    // There may be room for those who wait.
    expect(wire.roomsOf(connection)).toBeGreaterThanOrEqual(2);
  });

  it('does not lose calls that are above it', async () => {
    stub.updateSettings({ maxConcurrentStreams: 1 });
    await wire.until(() => connection.maxStreams === 1);
    const calls = Array.from({ length: 5 }, () => wire.call(connection));
    for (const outcome of await Promise.all(calls)) expect(versionOf(outcome)).toBe('v2.6.0-stub');
  });

  it('lets calls above it, which never left, end with the connection', async () => {
    stub.updateSettings({ maxConcurrentStreams: 1 });
    await wire.until(() => connection.maxStreams === 1);
    stub.always('Search', hang());
    const calls = Array.from({ length: 3 }, () => wire.send(connection, 'Search'));
    await stub.waitFor(({ inFlight }) => inFlight === 1);
    calls[1]!.cancel();
    expect(await calls[1]!.outcome).toMatchObject({ code: GrpcCode.CANCELLED });
    proxy.cut();
    for (const { outcome } of calls.slice(2)) expect(await outcome).toMatchObject(died);
  });
});

describe('stream ids', () => {
  it('come to an end after a thousand million calls: the connection then takes no more', async () => {
    const { session } = connection as unknown as { session: { setNextStreamID(id: number): void } };
    session.setNextStreamID(2 ** 31 - 1);
    expect(versionOf(await wire.call(connection))).toBe('v2.6.0-stub');
    expect(await wire.call(connection)).toMatchObject({
      ...transport,
      code: GrpcCode.UNAVAILABLE,
      processed: 'no',
    });
    expect(connection.open).toBe(false);
    await wire.closed(connection);
  });
});

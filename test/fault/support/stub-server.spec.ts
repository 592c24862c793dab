import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Certificates, makeCertificates } from '../../support/certificates.js';
import {
  ANY,
  answer,
  answerRaw,
  atHeaders,
  badFraming,
  contentType,
  delay,
  destroySession,
  executing,
  failure,
  frame,
  goaway,
  gzipAnswer,
  hang,
  httpStatus,
  milvusService,
  noTrailers,
  rawAnswer,
  rst,
  StubServer,
  status,
  until,
} from '../../support/stub-server.js';
import { FrameTap } from './frame-tap.js';
import { decoded, Http2Peer, seen } from './http2-peer.js';

const { NGHTTP2_CANCEL, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } =
  constants;

const portOf = ({ address }: StubServer) => Number(address.split(':')[1]);

let stub: StubServer;
let tap: FrameTap;
let peer: Http2Peer;

beforeEach(async () => {
  stub = await StubServer.start();
  tap = await FrameTap.start(stub.address);
  peer = await Http2Peer.connect(tap.address);
});

afterEach(async () => {
  peer.destroy();
  await tap.stop();
  await stub.stop();
});

describe('good answers', () => {
  it.each([
    ['Connect', { status: { code: 0, error_code: 'Success' }, identifier: '7', server_info: {} }],
    ['GetVersion', { version: 'v2.6.0-stub' }],
    ['CheckHealth', { isHealthy: true }],
    ['HasCollection', { value: true }],
    ['Search', { results: { scores: [0.5], ids: { int_id: { data: ['1'] } } } }],
    ['CreateCollection', { code: 0, error_code: 'Success' }],
    ['ListDatabases', { status: { code: 0, error_code: 'Success' } }],
  ])('%s', async (rpc, expected) => {
    const { headers, body, trailers } = await peer.call(rpc);
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc' });
    expect(decoded(rpc, body)).toMatchObject(expected);
    expect(trailers).toMatchObject({ 'grpc-status': '0' });
    expect(tap.stream(1)).toEqual(['HEADERS', 'DATA', 'HEADERS!']);
  });

  it('say what the request asked for', async () => {
    const described = await peer.call('DescribeCollection', { collection_name: 'books', db_name: 'library' });
    expect(decoded('DescribeCollection', described.body)).toMatchObject({
      collection_name: 'books',
      db_name: 'library',
      schema: { name: 'books', fields: [{ data_type: 'Int64' }, { data_type: 'FloatVector' }] },
    });
    const inserted = await peer.call('Insert', { num_rows: 3 });
    expect(decoded('Insert', inserted.body)).toMatchObject({
      insert_cnt: '3',
      IDs: { int_id: { data: ['1', '2', '3'] } },
    });
  });

  it('can be replaced for every call', async () => {
    stub.on<{ collection_name: string }>('HasCollection', ({ collection_name }) => ({
      status: failure(100, 'CollectionNotExists', `no ${collection_name}`),
    }));
    for (let i = 0; i < 2; i += 1) {
      const { body } = await peer.call('HasCollection', { collection_name: 'x' });
      expect(decoded('HasCollection', body)).toMatchObject({
        status: { code: 100, error_code: 'CollectionNotExists', reason: 'no x' },
        value: false,
      });
    }
    stub.behave('HasCollection');
    expect(decoded('HasCollection', (await peer.call('HasCollection')).body)).toMatchObject({ value: true });
  });

  it('a handler may choose a behaviour, later, and what it throws becomes INTERNAL', async () => {
    stub.on('Search', async (_, { metadata }) => {
      if (metadata['x'] === 'throw') throw new Error('oops');
      return status(5);
    });
    expect((await peer.call('Search')).headers).toMatchObject({ 'grpc-status': '5' });
    const { headers } = await peer.call('Search', {}, { x: 'throw' });
    expect(headers).toMatchObject({ 'grpc-status': '13', 'grpc-message': expect.stringContaining('oops') });
  });

  it('queue: next calls first, in order, then what always holds, ANY last', async () => {
    stub.always(ANY, status(9));
    stub.always('Search', status(8));
    stub.next('Search', status(1)).next('Search', status(2), 2).next(ANY, status(3));
    const codes: unknown[] = [];
    for (let i = 0; i < 5; i += 1) codes.push((await peer.call('Search')).headers?.['grpc-status']);
    codes.push((await peer.call('Query')).headers?.['grpc-status']);
    expect(codes).toEqual(['1', '2', '2', '3', '8', '9']);
    stub.behave();
    expect((await peer.call('Query')).trailers).toMatchObject({ 'grpc-status': '0' });
  });

  it('a path Milvus lacks is UNIMPLEMENTED; a behaviour for such an RPC is an error in the test', async () => {
    const { headers } = await peer.call('/milvus.proto.milvus.MilvusService/Nonsense');
    expect(headers).toMatchObject({ 'grpc-status': '12' });
    expect(() => stub.always('Nonsense', hang())).toThrow('no RPC named Nonsense');
  });

  it('a message that cannot be encoded is INTERNAL and noted', async () => {
    stub.next('Search', answer([] as never));
    expect((await peer.call('Search')).headers).toMatchObject({ 'grpc-status': '13' });
    expect(stub.errors).toHaveLength(1);
  });
});

describe('answers with a status', () => {
  it('in the only headers', async () => {
    stub.next('Search', status(14, 'weg – 100 %, 日本'));
    const { headers, headersOnly, trailers } = await peer.call('Search');
    expect(headersOnly).toBe(true);
    expect(headers).toMatchObject({
      ':status': 200,
      'grpc-status': '14',
      'grpc-message': 'weg %E2%80%93 100 %25, %E6%97%A5%E6%9C%AC',
    });
    expect(trailers).toBeUndefined();
    expect(tap.stream(1)).toEqual(['HEADERS!']);
  });

  it('in trailers', async () => {
    stub.next('Search', status(8, 'much', { trailersOnly: false, metadata: { 'x-more': '1' } }));
    const { headers, body, trailers } = await peer.call('Search');
    expect(headers?.['grpc-status']).toBeUndefined();
    expect(body).toHaveLength(0);
    expect(trailers).toMatchObject({ 'grpc-status': '8', 'grpc-message': 'much', 'x-more': '1' });
    expect(tap.stream(1).at(-1)).toBe('HEADERS!');
  });

  it('behind a message', async () => {
    stub.next('Search', answer(undefined, { trailers: { 'grpc-status': '15' } }));
    const { body, trailers } = await peer.call('Search');
    expect(body.length).toBeGreaterThan(5);
    expect(trailers).toMatchObject({ 'grpc-status': '15' });
  });

  it('of HTTP', async () => {
    stub.next('Search', httpStatus(503));
    const { headers, body, trailers } = await peer.call('Search');
    expect(headers).toMatchObject({ ':status': 503, 'content-type': 'text/html' });
    expect(body.toString()).toContain('<html>');
    expect(trailers).toBeUndefined();
  });
});

describe('answers that are wrong', () => {
  it('compressed', async () => {
    stub.next('GetVersion', gzipAnswer({ version: 'zip' }));
    const { headers, body } = await peer.call('GetVersion');
    expect(headers).toMatchObject({ 'grpc-encoding': 'gzip' });
    expect(body[0]).toBe(1);
    const plain = Buffer.concat([Buffer.alloc(5), gunzipSync(body.subarray(5))]);
    plain.writeUInt32BE(plain.length - 5, 1);
    expect(decoded('GetVersion', plain)).toMatchObject({ version: 'zip' });

    stub.next('GetVersion', gzipAnswer(undefined, { encoding: false }));
    expect((await peer.call('GetVersion')).headers?.['grpc-encoding']).toBeUndefined();
    stub.next('GetVersion', gzipAnswer(undefined, { corrupt: true }));
    const corrupt = await peer.call('GetVersion');
    expect(() => gunzipSync(corrupt.body.subarray(5))).toThrow();
  });

  it('of another content type', async () => {
    stub.next('Search', contentType('application/json'));
    expect((await peer.call('Search')).headers).toMatchObject({
      ':status': 200,
      'content-type': 'application/json',
    });
  });

  it('badly framed', async () => {
    const good = (await peer.call('GetVersion')).body;
    const bodyOf = async (kind: Parameters<typeof badFraming>[0]) => {
      stub.next('GetVersion', badFraming(kind));
      const { body, trailers } = await peer.call('GetVersion');
      expect(trailers).toMatchObject({ 'grpc-status': '0' });
      return body;
    };
    expect(await bodyOf('truncated')).toEqual(good.subarray(0, -1));
    expect(await bodyOf('two-messages')).toEqual(Buffer.concat([good, good]));
    expect(await bodyOf('no-message')).toHaveLength(0);
    expect((await bodyOf('garbage')).toString()).toContain('400');
    expect((await bodyOf('huge-length')).readUInt32BE(1)).toBe(0xffff_ffff);
  });

  it('without trailers', async () => {
    stub.next('GetVersion', noTrailers());
    const { body, trailers } = await peer.call('GetVersion');
    expect(decoded('GetVersion', body)).toMatchObject({ version: 'v2.6.0-stub' });
    expect(trailers).toBeUndefined();
    const frames = tap.stream(1);
    expect(frames[0]).toBe('HEADERS');
    expect(frames.at(-1)).toBe('DATA!');
    expect(stub.inFlight).toBe(0);
  });

  it('as raw as wanted', async () => {
    stub.next('GetVersion', answerRaw(Buffer.from([0xff])));
    expect((await peer.call('GetVersion')).body).toEqual(Buffer.from([0, 0, 0, 0, 1, 0xff]));
    stub.next('GetVersion', rawAnswer({ headers: { 'x-a': 'b' }, trailers: { 'grpc-status': 'moo' } }));
    const { headers, trailers } = await peer.call('GetVersion');
    expect(headers).toMatchObject({ 'x-a': 'b' });
    expect(trailers).toMatchObject({ 'grpc-status': 'moo' });
  });
});

describe('time', () => {
  it('delays one call, or all', async () => {
    stub.next('Search', delay(30));
    let began = performance.now();
    await peer.call('Search');
    expect(performance.now() - began).toBeGreaterThanOrEqual(29);
    stub.delayMs = 30;
    began = performance.now();
    await peer.call('Search');
    expect(performance.now() - began).toBeGreaterThanOrEqual(29);
  });

  it('holds a call until the test says so', async () => {
    let open = () => {};
    const gate = new Promise<void>(resolve => {
      open = resolve;
    });
    stub.next('Search', until(gate, status(5)));
    const call = peer.call('Search');
    await stub.waitFor(({ inFlight }) => inFlight === 1);
    open();
    expect((await call).headers).toMatchObject({ 'grpc-status': '5' });
  });

  it('leaves the body of a call unread', async () => {
    stub.next('Insert', atHeaders(hang()));
    const stream = peer.session.request({
      ':method': 'POST',
      ':path': '/milvus.proto.milvus.MilvusService/Insert',
    });
    stream.on('error', () => {});
    let written = false;
    stream.write(Buffer.alloc(4_000_000), () => {
      written = true;
    });
    await stub.waitFor(s => s.count('Insert') === 1);
    // Two round trips, in which the server would have granted a window had it read.
    for (let i = 0; i < 2; i += 1) await peer.call('GetVersion');
    expect(written).toBe(false);
    expect(stub.calls('Insert')[0]?.complete).toBe(false);
    expect(() => stub.calls('Insert')[0]?.request).toThrow('did not arrive whole');
  });
});

describe('streams and connections that end badly', () => {
  it.each([
    ['before-headers', ['RST_STREAM']],
    ['after-headers', ['HEADERS', 'RST_STREAM']],
    ['mid-message', ['HEADERS', 'DATA', 'RST_STREAM']],
  ] as const)('RST_STREAM %s', async (when, frames) => {
    stub.next('Search', rst(NGHTTP2_INTERNAL_ERROR, { when }));
    const { rstCode, ended, trailers, body } = await peer.call('Search');
    expect(rstCode).toBe(NGHTTP2_INTERNAL_ERROR);
    expect(ended).toBe(false);
    expect(trailers).toBeUndefined();
    expect(body.length > 0).toBe(when === 'mid-message');
    expect(tap.stream(1)).toEqual(frames);
    expect(tap.of('RST_STREAM')[0]?.payload.readUInt32BE(0)).toBe(NGHTTP2_INTERNAL_ERROR);
    // The connection lives on, and the client reset nothing.
    expect((await peer.call('Search')).trailers).toMatchObject({ 'grpc-status': '0' });
    expect(stub.cancelled).toEqual([]);
  });

  it('REFUSED_STREAM before the body arrived', async () => {
    stub.next('Search', atHeaders(rst(NGHTTP2_REFUSED_STREAM)));
    expect((await peer.call('Search')).rstCode).toBe(NGHTTP2_REFUSED_STREAM);
  });

  it('GOAWAY at the call, which is answered', async () => {
    stub.next('Search', goaway(0, 'at'));
    const { trailers } = await peer.call('Search');
    expect(trailers).toMatchObject({ 'grpc-status': '0' });
    expect(peer.goaways).toEqual([{ code: 0, lastStreamId: 1 }]);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });

  it('GOAWAY below the call, also when that means 0', async () => {
    stub.next('Search', goaway(NGHTTP2_ENHANCE_YOUR_CALM, 'below'));
    await peer.call('Search');
    expect(peer.goaways[0]).toEqual({ code: NGHTTP2_ENHANCE_YOUR_CALM, lastStreamId: 0 });

    const other = await Http2Peer.connect(stub.address);
    stub.next('Query', goaway(0, 'below'));
    await other.call('Search');
    const { rstCode, headers } = await other.call('Query');
    expect(headers).toBeUndefined();
    expect(rstCode).toBe(NGHTTP2_REFUSED_STREAM);
    expect(other.goaways[0]).toEqual({ code: 0, lastStreamId: 1 });
    other.destroy();
  });

  it('GOAWAY with any id, and without a call', async () => {
    stub.next('Search', goaway(0, 'max', status(5)));
    expect((await peer.call('Search')).headers).toMatchObject({ 'grpc-status': '5' });
    expect(peer.goaways).toEqual([{ code: 0, lastStreamId: 0x7fff_ffff }]);

    const idle = await Http2Peer.connect(stub.address);
    const closed = new Promise<void>(resolve => {
      idle.session.once('close', resolve);
    });
    stub.goaway(2, 1);
    await closed;
    expect(idle.goaways).toEqual([{ code: 2, lastStreamId: 1 }]);
  });

  it('GOAWAY amid large answers breaks no frame', async () => {
    stub.always('GetVersion', answer({ version: 'x'.repeat(1_000_000) }));
    stub.next('Search', goaway(0, 'max'));
    const calls = [1, 2, 3, 4].map(() => peer.call('GetVersion'));
    expect((await peer.call('Search')).trailers).toMatchObject({ 'grpc-status': '0' });
    const answers = await Promise.all(calls);
    expect(answers.every(({ body }) => body.length > 1_000_000)).toBe(true);
    expect(peer.goaways[0]).toEqual({ code: 0, lastStreamId: 0x7fff_ffff });
  });

  it.each(['socket', 'reset', 'session'] as const)('the connection ends: %s', async how => {
    stub.next('Search', destroySession(how));
    const calls = await Promise.all([peer.call('Search'), peer.call('Search')]);
    expect(calls.every(({ ended }) => !ended)).toBe(true);
    await stub.waitFor(({ connectionsOpen, inFlight }) => connectionsOpen === 0 && inFlight === 0);
    expect(tap.of('GOAWAY')).toHaveLength(how === 'session' ? 1 : 0);
    expect(stub.cancelled).toEqual([]);
  });

  it.each([
    ['fin', undefined],
    ['rst', 'ECONNRESET'],
  ] as const)('all connections dropped: %s', async (how, code) => {
    const socket = connectTcp(portOf(stub), '127.0.0.1');
    let error: NodeJS.ErrnoException | undefined;
    socket.on('error', e => {
      error = e;
    });
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 2);
    const closed = new Promise(resolve => {
      socket.once('close', resolve);
    });
    socket.resume();
    stub.dropConnections(how);
    await closed;
    expect(error?.code).toBe(code);
    await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect(stub.connectionsEver).toBe(2);
  });

  it('shuts down gracefully: GOAWAY, and the calls in flight are answered', async () => {
    let open = () => {};
    stub.next(
      'Search',
      until(
        new Promise<void>(resolve => {
          open = resolve;
        }),
      ),
    );
    const call = peer.call('Search');
    await stub.waitFor(({ inFlight }) => inFlight === 1);
    const down = stub.shutdown();
    await once(peer.session, 'goaway');
    open();
    expect((await call).trailers).toMatchObject({ 'grpc-status': '0' });
    await down;
    expect(stub.connectionsOpen).toBe(0);
  });

  it('comes back on its port with its behaviours and counts', async () => {
    stub.always('Search', status(5));
    const { address } = stub;
    await peer.call('Query');
    await stub.stop();
    const refused = connectTcp(portOf(stub), '127.0.0.1');
    const [error] = await once(refused, 'error');
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });

    await stub.restart();
    await stub.restart();
    expect(stub.address).toBe(address);
    const again = await Http2Peer.connect(address);
    expect((await again.call('Search')).headers).toMatchObject({ 'grpc-status': '5' });
    expect(stub.count('Query')).toBe(1);
    expect(stub.connectionsEver).toBe(2);
    again.destroy();
  });

  it('stops with calls, timers and connections open', async () => {
    stub.next('Search', delay(60_000));
    stub.next('Query', hang());
    const calls = [peer.call('Search'), peer.call('Query')];
    await stub.waitFor(({ inFlight }) => inFlight === 2);
    const never = stub.waitFor(() => false, 60_000);
    const empty = stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    const [refused] = await Promise.allSettled([never, stub.stop()]);
    expect(refused).toMatchObject({ status: 'rejected' });
    await empty;
    await Promise.all(calls);
    expect(stub.inFlight).toBe(0);
    await stub.stop();
  });
});

describe('counts', () => {
  it('what arrived', async () => {
    await peer.call('Search', { collection_name: 'c' }, { dbname: 'd', 'grpc-timeout': '9000m' });
    await peer.call('Search');
    await peer.call('Query');
    expect(stub.count()).toBe(3);
    expect(stub.count('Search')).toBe(2);
    expect(stub.received[0]).toMatchObject({ rpc: 'Search', connectionId: 1, streamId: 1 });
    expect(stub.received[0]?.request).toMatchObject({ collection_name: 'c' });
    expect(stub.received[0]?.metadata).toMatchObject({ dbname: 'd', 'grpc-timeout': '9000m' });
    expect(stub.received[1]!.atMs).toBeGreaterThan(stub.received[0]!.atMs);
    stub.resetCounts();
    expect([stub.count(), stub.maxInFlight, stub.connectionsEver]).toEqual([0, 0, 1]);
  });

  it('calls in flight, per connection and in all, and no overlap that the client did not make', async () => {
    for (let i = 0; i < 50; i += 1) await peer.call('GetVersion');
    expect(stub.maxInFlight).toBe(1);
    stub.always('Search', hang());
    const other = await Http2Peer.connect(stub.address);
    for (let i = 0; i < 3; i += 1) peer.open('Search');
    other.open('Search');
    await stub.waitFor(({ inFlight }) => inFlight === 4);
    expect(stub.connections.map(({ inFlight }) => inFlight)).toEqual([3, 1]);
    expect(stub.connections.map(({ maxInFlight }) => maxInFlight)).toEqual([3, 1]);
    expect(stub.connections.map(({ calls }) => calls)).toEqual([53, 1]);
    other.destroy();
    await stub.waitFor(({ inFlight, connectionsOpen }) => inFlight === 3 && connectionsOpen === 1);
    expect(stub.maxInFlight).toBe(4);
  });

  it('what was executed, whether the client gets to know or not', async () => {
    stub.next('Insert', executing());
    stub.next('Insert', status(14));
    stub.next('Insert', executing(rst(NGHTTP2_INTERNAL_ERROR)));
    const answered = await peer.call('Insert');
    expect(decoded('Insert', answered.body)).toMatchObject({ acknowledged: true });
    await peer.call('Insert');
    expect((await peer.call('Insert')).rstCode).toBe(NGHTTP2_INTERNAL_ERROR);
    expect(stub.calls('Insert').map(({ executed }) => executed)).toEqual([true, false, true]);
    expect([stub.executions('Insert'), stub.executions('Upsert')]).toEqual([2, 0]);
  });

  it('streams the client resets, with their code', async () => {
    stub.always('Search', hang());
    const streams = [peer.open('Search'), peer.open('Search'), peer.open('Search')];
    await stub.waitFor(({ inFlight }) => inFlight === 3);
    streams[0]?.close(NGHTTP2_CANCEL);
    streams[1]?.close(0);
    await stub.waitFor(({ cancelled }) => cancelled.length === 2);
    expect(stub.cancelled).toMatchObject([
      { rpc: 'Search', code: NGHTTP2_CANCEL, streamId: 1, connectionId: 1 },
      { rpc: 'Search', code: 0, streamId: 3 },
    ]);
    expect(stub.inFlight).toBe(1);
    // The third dies with its connection and is no RST.
    peer.destroy();
    await stub.waitFor(({ inFlight }) => inFlight === 0);
    expect(stub.cancelled).toHaveLength(2);
  });

  it('so many resets that Node itself would take them for an attack', async () => {
    stub.always('Search', hang());
    const streams = Array.from({ length: 1500 }, () => peer.open('Search'));
    await stub.waitFor(({ inFlight }) => inFlight === 1500);
    for (const stream of streams) stream.close(NGHTTP2_CANCEL);
    await stub.waitFor(({ cancelled }) => cancelled.length === 1500);
    expect(peer.goaways).toEqual([]);
  });

  it('a request the client gives up half way', async () => {
    const stream = peer.session.request({
      ':method': 'POST',
      ':path': '/milvus.proto.milvus.MilvusService/Insert',
    });
    stream.on('error', () => {});
    stream.write(Buffer.from([0, 0, 0, 1, 0, 1, 2, 3]));
    await stub.waitFor(({ inFlight }) => inFlight === 1);
    expect(stub.count('Insert')).toBe(0);
    stream.close(NGHTTP2_CANCEL);
    await stub.waitFor(({ cancelled }) => cancelled.length === 1);
    expect(stub.calls('Insert').map(({ complete }) => complete)).toEqual([false]);
  });

  it('reads gzip requests', async () => {
    const stream = peer.session.request({ ':method': 'POST', ':path': milvusService['Search']!.path });
    const message = milvusService['Search']!.requestSerialize({ collection_name: 'zip' });
    stream.end(frame(gzipSync(message), { compressed: true }));
    await seen(stream);
    expect(stub.received[0]?.request).toMatchObject({ collection_name: 'zip' });
  });

  it('PING frames', async () => {
    const pings = [1, 2].map(
      () =>
        new Promise(resolve => {
          peer.session.ping(resolve);
        }),
    );
    await Promise.all(pings);
    expect(stub.pings).toBe(2);
    expect(stub.connections[0]?.pings).toBe(2);
  });

  it('waits say what they waited for', async () => {
    await expect(stub.waitFor(({ pings }) => pings === 9, 10)).rejects.toThrow(
      /pings === 9.*connectionsOpen/,
    );
  });
});

describe('settings', () => {
  it('are announced, and can change', async () => {
    const small = await StubServer.start({ settings: { maxConcurrentStreams: 2 } });
    const client = await Http2Peer.connect(small.address);
    expect(client.session.remoteSettings.maxConcurrentStreams).toBe(2);
    const changed = once(client.session, 'remoteSettings');
    small.updateSettings({ maxConcurrentStreams: 5 });
    expect((await changed)[0]).toMatchObject({ maxConcurrentStreams: 5 });
    client.destroy();
    await small.restart();
    const later = await Http2Peer.connect(small.address);
    expect(later.session.remoteSettings.maxConcurrentStreams).toBe(5);
    later.destroy();
    await small.stop();
  });
});

describe('TLS', () => {
  let folder: string;
  let ca: string;
  let server: { key: string; cert: string };
  let certificates: Certificates;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'stub-server-'));
    certificates = await makeCertificates(folder);
    ca = certificates.ca.pem;
    server = pemOf(certificates.server);
  });

  afterAll(() => rm(folder, { recursive: true }));

  const pemOf = ({ key, cert }: Certificates['server']) => ({ key: key.pem, cert: cert.pem });

  it('one way: behaves and counts as without', async () => {
    const secure = await StubServer.start({ tls: server });
    const one = await Http2Peer.connect(secure.address, { tls: true, ca });
    expect((await one.call('Search')).trailers).toMatchObject({ 'grpc-status': '0' });
    secure.next('Search', goaway(3, 'below'));
    await one.call('Search');
    expect(one.goaways).toEqual([{ code: 3, lastStreamId: 1 }]);
    one.destroy();

    const two = await Http2Peer.connect(secure.address, { tls: true, ca });
    secure.next('Search', destroySession('reset'));
    expect((await two.call('Search')).ended).toBe(false);
    await secure.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect(secure.connectionsEver).toBe(2);
    two.destroy();
    await secure.stop();
  });

  it('counts connections that never finish their handshake', async () => {
    const secure = await StubServer.start({ tls: server });
    const socket = connectTcp(portOf(secure), '127.0.0.1');
    await secure.waitFor(({ connectionsOpen }) => connectionsOpen === 1);
    socket.write('GET / HTTP/1.1\r\n\r\n');
    await secure.waitFor(({ errors, connectionsOpen }) => errors.length === 1 && connectionsOpen === 0);
    socket.destroy();
    await secure.stop();
  });

  it('mutual: a client without a certificate is refused', async () => {
    const mutual = await StubServer.start({ tls: { ...server, ca, requestCert: true } });
    const identity = pemOf(certificates.client);
    const known = await Http2Peer.connect(mutual.address, { tls: true, ca, ...identity });
    expect((await known.call('GetVersion')).trailers).toMatchObject({ 'grpc-status': '0' });
    // Not by node:http2, whose session here dies without an event.
    const unknown = connectTls({ port: portOf(mutual), host: '127.0.0.1', ca, ALPNProtocols: ['h2'] });
    unknown.resume();
    const [error] = await once(unknown, 'error');
    expect(error).toMatchObject({ code: 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED' });
    await mutual.waitFor(({ errors, connectionsOpen }) => errors.length === 1 && connectionsOpen === 1);
    unknown.destroy();
    known.destroy();
    await mutual.stop();
  });
});

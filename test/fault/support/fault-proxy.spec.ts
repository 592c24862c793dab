import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultProxy } from '../../support/fault-proxy.js';
import { StubServer } from '../../support/stub-server.js';
import { Http2Peer } from './http2-peer.js';

/** An echo server that knows its sockets. */
let server: Server;
let accepted: Socket[];
let proxy: FaultProxy;
let sockets: Socket[];

beforeEach(async () => {
  accepted = [];
  sockets = [];
  server = createServer(socket => {
    accepted.push(socket);
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  proxy = await FaultProxy.start({ target: `127.0.0.1:${(server.address() as AddressInfo).port}` });
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await proxy.stop();
  for (const socket of accepted) socket.destroy();
  await new Promise(resolve => {
    server.close(resolve);
  });
});

interface Client {
  socket: Socket;
  /** All that has come back. */
  text(): string;
  /** Resolves when the echo of `text` is complete. */
  echoed(text: string): Promise<void>;
  /** Resolves at the end to the error's code, or to 'FIN'. */
  closed: Promise<string>;
}

async function dial(): Promise<Client> {
  const socket = connect(Number(proxy.address.split(':')[1]), '127.0.0.1');
  sockets.push(socket);
  let text = '';
  let error: NodeJS.ErrnoException | undefined;
  socket.setEncoding('utf8');
  socket.on('data', chunk => {
    text += chunk;
  });
  socket.on('error', e => {
    error = e;
  });
  const closed = new Promise<string>(resolve => {
    socket.once('close', () => resolve(error?.code ?? 'FIN'));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const echoed = async (wanted: string) => {
    while (!text.includes(wanted)) await once(socket, 'data');
  };
  return { socket, text: () => text, echoed, closed };
}

async function dialThrough(): Promise<Client> {
  const client = await dial();
  client.socket.write('hello');
  await client.echoed('hello');
  return client;
}

describe('a proxy left alone', () => {
  it('hands everything on, both ways, and counts', async () => {
    const client = await dialThrough();
    expect(proxy.bytes).toEqual({ toServer: 5, toClient: 5 });
    expect([proxy.connectionsOpen, proxy.connectionsEver]).toEqual([1, 1]);
    client.socket.end('bye');
    expect(await client.closed).toBe('FIN');
    expect(client.text()).toBe('hellobye');
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect(proxy.connectionsEver).toBe(1);
  });

  it('carries megabytes', async () => {
    const client = await dial();
    client.socket.end('x'.repeat(5_000_000));
    await client.closed;
    expect(client.text()).toHaveLength(5_000_000);
  });

  it('hands on a reset, from either side', async () => {
    const client = await dialThrough();
    accepted[0]?.resetAndDestroy();
    expect(await client.closed).toBe('ECONNRESET');
    const other = await dialThrough();
    const [error] = await Promise.all([once(accepted[1]!, 'error'), other.socket.resetAndDestroy()]);
    expect(error[0]).toMatchObject({ code: 'ECONNRESET' });
  });

  it('has nothing for a client when the server is gone', async () => {
    proxy.target = '127.0.0.1:1';
    const client = await dial();
    expect(await client.closed).toBe('ECONNRESET');
  });
});

describe('black holes', () => {
  it('pause and resume: nothing passes, nothing is lost, new connections are accepted', async () => {
    const old = await dialThrough();
    proxy.pause();
    old.socket.write('one');
    const young = await dial();
    young.socket.write('two');
    await proxy.waitFor(({ connectionsEver }) => connectionsEver === 2);
    expect(proxy.bytes.toServer).toBe(5);
    proxy.resume();
    await Promise.all([old.echoed('one'), young.echoed('two')]);
  });

  it('one way: the server hears, the client does not', async () => {
    const client = await dialThrough();
    proxy.pause('toClient');
    client.socket.write('one');
    await proxy.waitFor(({ bytes }) => bytes.toServer === 8);
    expect(proxy.bytes.toClient).toBe(5);
    expect(client.text()).toBe('hello');
    proxy.resume();
    await client.echoed('one');
  });

  it.each([
    ['closes', (socket: Socket) => socket.end()],
    ['resets', (socket: Socket) => socket.resetAndDestroy()],
  ])('sees a client that %s, and tells the server only at the end', async (_, leave) => {
    const { socket } = await dialThrough();
    proxy.pause();
    leave(socket);
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    expect(accepted[0]?.readableEnded).toBe(false);
    expect(accepted[0]?.destroyed).toBe(false);
    proxy.resume();
    await once(accepted[0]!, 'close');
  });

  it('for one connection out of several', async () => {
    const clients = [await dialThrough(), await dialThrough(), await dialThrough()];
    proxy.freeze(2);
    for (const { socket } of clients) socket.write('more');
    await Promise.all([clients[0]!.echoed('more'), clients[2]!.echoed('more'), dialThrough()]);
    expect(clients[1]!.text()).toBe('hello');
    proxy.resume();
    await clients[1]!.echoed('more');
  });

  it('for new connections only', async () => {
    const old = await dialThrough();
    proxy.blackholeNew();
    const young = await dial();
    young.socket.write('lost');
    old.socket.write('one');
    await old.echoed('one');
    expect(accepted).toHaveLength(1);
    expect(proxy.connectionsOpen).toBe(2);
    proxy.resume();
    await dialThrough();
    expect(young.text()).toBe('');
    expect(accepted).toHaveLength(2);
    young.socket.end();
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 2);
  });
});

describe('ends', () => {
  it('refuses new connections and accepts them again on the same port', async () => {
    const { address } = proxy;
    const old = await dialThrough();
    proxy.refuse();
    await expect(dial()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    old.socket.write('one');
    await old.echoed('one');
    await proxy.accept();
    expect(proxy.address).toBe(address);
    await dialThrough();
  });

  it.each([
    ['reset', 'ECONNRESET'],
    ['cut', 'FIN'],
  ] as const)('%s: both sides see it', async (how, expected) => {
    const clients = [await dialThrough(), await dialThrough()];
    const serverSide = new Promise<string>(resolve => {
      accepted[0]?.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
      accepted[0]?.once('end', () => resolve('FIN'));
    });
    proxy[how]();
    expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([expected, expected]);
    expect(await serverSide).toBe(expected);
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
    await dialThrough();
  });

  it('after an exact number of bytes to the client, on old connections and on new ones', async () => {
    const client = await dialThrough();
    proxy.cutAfterBytes(3);
    client.socket.write('abcdef');
    expect(await client.closed).toBe('FIN');
    expect(client.text()).toBe('helloabc');
    const young = await dial();
    young.socket.write('abcdef');
    await young.closed;
    expect(young.text()).toBe('abc');
    proxy.cutAfterBytes(Infinity);
    await dialThrough();
  });

  it('by TCP RST in place of the first byte of the answer', async () => {
    const client = await dialThrough();
    proxy.cutAfterBytes(0, 'toClient', 'rst');
    client.socket.write('abcdef');
    expect(await client.closed).toBe('ECONNRESET');
    expect(client.text()).toBe('hello');
    expect(proxy.bytes).toEqual({ toServer: 11, toClient: 5 });
  });

  it('after an exact number of bytes to the server', async () => {
    const client = await dialThrough();
    let heard = '';
    accepted[0]?.on('data', chunk => {
      heard += chunk;
    });
    proxy.cutAfterBytes(2, 'toServer');
    client.socket.write('abcdef');
    await once(accepted[0]!, 'close');
    expect(heard).toBe('ab');
  });

  it('stops with everything open, held and delayed', async () => {
    const port = Number(proxy.address.split(':')[1]);
    const clients = [await dialThrough(), await dialThrough()];
    proxy.latency(60_000);
    clients[0]?.socket.write('late');
    proxy.pause();
    clients[1]?.socket.write('held');
    const never = proxy.waitFor(() => false, 60_000);
    const [refused] = await Promise.allSettled([never, proxy.stop()]);
    expect(refused).toMatchObject({ status: 'rejected' });
    await Promise.all(clients.map(({ closed }) => closed));
    const free = createServer();
    free.listen(port, '127.0.0.1');
    await once(free, 'listening');
    free.close();
  });
});

describe('time', () => {
  it('delays each way and keeps the order', async () => {
    const client = await dialThrough();
    proxy.latency(20);
    const began = performance.now();
    client.socket.write('one');
    await proxy.waitFor(({ bytes }) => bytes.toServer === 8);
    proxy.latency(0);
    client.socket.write('two');
    await client.echoed('onetwo');
    expect(performance.now() - began).toBeGreaterThanOrEqual(19);
    proxy.latency(20);
    const again = performance.now();
    client.socket.write('three');
    await client.echoed('three');
    expect(performance.now() - again).toBeGreaterThanOrEqual(38);
  });
});

it('carries HTTP/2', async () => {
  const stub = await StubServer.start();
  proxy.target = stub.address;
  const peer = await Http2Peer.connect(proxy.address);
  expect((await peer.call('Search')).trailers).toMatchObject({ 'grpc-status': '0' });
  proxy.pause('toClient');
  const lost = peer.call('Insert');
  await stub.waitFor(s => s.count('Insert') === 1);
  proxy.reset();
  expect((await lost).headers).toBeUndefined();
  await stub.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  await stub.stop();
});

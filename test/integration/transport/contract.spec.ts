import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ResolvedTls } from '../../../lib/options/resolved-options.js';
import { MilvusLite } from '../../../lib/testing/milvus-lite.js';
import { GrpcCode } from '../../../lib/transport/grpc-status.js';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import { versionOf, Wire } from '../../fault/transport/wire.js';
import { type Certificates, makeCertificates } from '../../support/certificates.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { type GrpcJsServer, startGrpcJsServer } from '../../support/grpc-js-server.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { milvusService } from '../../support/stub-server.js';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const ROOT = { authorization: base64('root:Milvus') };

/** A server that nobody here wrote. */
interface Server {
  address: string;
  /** What its version must look like. */
  version: RegExp;
  tls?: ResolvedTls;
  /** Credentials that every call needs, if it asks for any. */
  metadata?: Record<string, string>;
  /** TLS settings it must refuse, by what is wrong with them. */
  refuses: Record<string, ResolvedTls | undefined>;
  stop(): Promise<unknown>;
}

/** How a client that may reach it does so, and those that may not. */
function secured(
  { ca, client, otherCa, otherClient }: Certificates,
  mutual: boolean,
): Pick<Server, 'tls' | 'refuses'> {
  const tls: ResolvedTls = {
    ca: ca.pem,
    rejectUnauthorized: true,
    ...(mutual && { cert: client.cert.pem, key: client.key.pem }),
  };
  return {
    tls,
    refuses: {
      'no TLS': undefined,
      'an authority that did not sign it': { ...tls, ca: otherCa.pem },
      'a name that it does not have': { ...tls, serverName: 'other.test' },
      ...(mutual && {
        'no client certificate': { ca: ca.pem, rejectUnauthorized: true },
        'a client certificate of another authority': {
          ...tls,
          cert: otherClient.cert.pem,
          key: otherClient.key.pem,
        },
      }),
    },
  };
}

/** What a server without TLS must refuse. */
const plain: Pick<Server, 'refuses'> = { refuses: { TLS: { rejectUnauthorized: false } } };

let grpcJs: GrpcJsServer;

async function startMilvus(
  options: Parameters<typeof MilvusStandalone.start>[0],
  mutual?: boolean,
): Promise<Server> {
  const milvus = await MilvusStandalone.start(options);
  return {
    address: milvus.address,
    version: /2\.3\.5/,
    ...(options?.auth && { metadata: ROOT }),
    ...(mutual === undefined ? plain : secured(milvus.certificates, mutual)),
    stop: () => milvus.stop(),
  };
}

const servers: Record<string, () => Promise<Server>> = {
  'grpc-js': async () => {
    grpcJs = await startGrpcJsServer();
    return { address: grpcJs.address, version: /stub/, ...plain, stop: () => grpcJs.stop() };
  },
  'grpc-js with mutual TLS': async () => {
    const folder = await mkdtemp(join(tmpdir(), 'contract-'));
    const certificates = await makeCertificates(folder);
    const { ca, server } = certificates;
    const tls = { key: server.key.pem, cert: server.cert.pem, ca: ca.pem, requestCert: true };
    const secure = await startGrpcJsServer({ tls });
    const stop = async () => {
      await secure.stop();
      await rm(folder, { recursive: true });
    };
    return { address: secure.address, version: /stub/, ...secured(certificates, true), stop };
  },
  'Milvus Lite': async () => {
    const lite = await MilvusLite.start();
    return { address: lite.address, version: /\d/, ...plain, stop: () => lite.stop() };
  },
  'Milvus with users': () => startMilvus({ auth: true }),
  'Milvus with TLS': () => startMilvus({ tls: 'one-way' }, false),
  'Milvus with mutual TLS': () => startMilvus({ tls: 'mutual' }, true),
};

/** The same of every server. */
const contract: Record<string, (test: Contract) => Promise<void>> = {
  'answers a call': async ({ call, connection, server }) => {
    expect(versionOf(await call('GetVersion'))).toMatch(server.version);
    expect([connection.open, connection.inFlight]).toEqual([true, 0]);
  },

  'answers what was asked, not only that it was': async ({ call }) => {
    const outcome = await call('HasCollection', { collection_name: 'no_such_collection' });
    expect(outcome.ok).toBe(true);
  },

  'knows no method that does not exist': async ({ call, connection }) => {
    expect(await call('/milvus.proto.milvus.MilvusService/Guess')).toMatchObject({
      ok: false,
      code: GrpcCode.UNIMPLEMENTED,
      origin: 'server',
      connectionDied: false,
      notGrpc: false,
    });
    expect(connection.open).toBe(true);
  },

  'may be left waiting: the deadline ends the call and nothing else': async ({ wire, send, usable }) => {
    const late = send('GetVersion', {}, 5_000);
    wire.clock.advance(5_000);
    expect(await late.outcome).toMatchObject({ code: GrpcCode.DEADLINE_EXCEEDED, origin: 'caller' });
    await usable();
  },

  'may be told that a call is not wanted any more': async ({ send, usable }) => {
    for (let round = 0; round < 5; round += 1) {
      const calls = Array.from({ length: 10 }, () => send('GetVersion'));
      for (const call of calls) call.cancel();
      for (const { outcome } of calls) expect(await outcome).toMatchObject({ code: GrpcCode.CANCELLED });
      await usable();
    }
  },

  'answers 50 calls at once on one connection': async ({ call, proxy, server }) => {
    const outcomes = await Promise.all(Array.from({ length: 50 }, () => call('GetVersion')));
    for (const outcome of outcomes) expect(versionOf(outcome)).toMatch(server.version);
    expect(proxy.connectionsEver).toBe(1);
  },

  'takes a request of 3 MB': async ({ call, usable }) => {
    // Its answer may be that there is no such name. It is an answer.
    expect(await call('HasCollection', { collection_name: 'x'.repeat(3_000_000) })).toMatchObject({
      ok: true,
    });
    await usable();
  },

  'answers a PING under a call': async ({ wire, connection, send, usable }) => {
    await usable();
    const { session } = connection as unknown as {
      session: { ping(answered: (error?: Error) => void): boolean };
    };
    const ping = session.ping.bind(session);
    const answers: (Error | null | undefined)[] = [];
    session.ping = answered =>
      ping(error => {
        answers.push(error);
        answered(error);
      });
    const call = send('GetVersion', {}, 600_000);
    wire.clock.advance(30_000);
    await call.outcome;
    await wire.until(() => answers.length === 1);
    expect(answers).toEqual([null]);
    wire.clock.advance(5_000);
    await usable();
  },

  'is left in order: calls in flight finish, and no socket stays': async ({
    call,
    connection,
    proxy,
    wire,
    server,
  }) => {
    const calls = Array.from({ length: 10 }, () => call('GetVersion'));
    connection.close();
    for (const outcome of await Promise.all(calls)) expect(versionOf(outcome)).toMatch(server.version);
    wire.clock.advance(500);
    await wire.closed(connection);
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  },

  'is left at once: every call ends, and no socket stays': async ({ send, connection, proxy, wire }) => {
    const calls = Array.from({ length: 10 }, () => send('GetVersion'));
    connection.destroy();
    for (const { outcome } of calls) expect(typeof (await outcome).ok).toBe('boolean');
    await wire.closed(connection);
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  },
};

interface Contract {
  server: Server;
  proxy: FaultProxy;
  wire: Wire;
  connection: Http2Connection;
  send(rpc: string, request?: object, timeoutMs?: number): ReturnType<Http2Connection['send']>;
  call(rpc: string, request?: object): ReturnType<Wire['call']>;
  usable(): Promise<void>;
}

beforeAll(() => MilvusStandalone.install(), 600_000);

describe.each(Object.keys(servers))('%s', name => {
  let server: Server;
  let proxy: FaultProxy;
  let wire: Wire;

  beforeAll(async () => {
    server = await servers[name]!();
  }, 300_000);

  afterAll(() => server.stop());

  beforeEach(async () => {
    // It counts the sockets.
    proxy = await FaultProxy.start({ target: server.address });
    wire = new Wire();
  });

  afterEach(async () => {
    await wire.end();
    await proxy.stop();
  });

  it.each(Object.keys(contract))('%s', async check => {
    const { tls, metadata = {} } = server;
    const connection = await wire.connect(proxy.address, { connectTimeoutMs: 10_000, ...(tls && { tls }) });
    const send: Contract['send'] = (rpc, request = {}, timeoutMs = 20_000) =>
      wire.send(connection, rpc, { request: request as Record<string, unknown>, metadata, timeoutMs });
    await contract[check]!({
      server,
      proxy,
      wire,
      connection,
      send,
      call: (rpc, request) => send(rpc, request).outcome,
      usable: async () => {
        expect(versionOf(await send('GetVersion').outcome)).toMatch(server.version);
        expect(connection.open).toBe(true);
      },
    });
  });

  it('refuses those who may not connect, at once', async () => {
    for (const [what, tls] of Object.entries(server.refuses)) {
      const startMs = performance.now();
      const error = await wire.refusal(proxy.address, { connectTimeoutMs: 20_000, ...(tls && { tls }) });
      expect([what, error.failure]).toEqual([what, expect.stringMatching(/tls|unreachable|not-http2/)]);
      expect(performance.now() - startMs).toBeLessThan(10_000);
    }
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  });

  if (name === 'Milvus with users') {
    it.each([
      ['a wrong password', { authorization: base64('root:wrong') }],
      ['a user it does not know', { authorization: base64('nobody:Milvus') }],
      ['a token', { authorization: base64('no-such-token') }],
      ['no credentials', {}],
    ])('says UNAUTHENTICATED to %s, call by call', async (_what, metadata) => {
      const connection = await wire.connect(proxy.address);
      const ask = (with_: Record<string, string>) =>
        wire.call(connection, 'ListDatabases', { metadata: with_, timeoutMs: 20_000 });
      expect(await ask(metadata)).toMatchObject({
        code: GrpcCode.UNAUTHENTICATED,
        origin: 'server',
        connectionDied: false,
      });
      expect((await ask(ROOT)).ok).toBe(true);
    });

    it('takes the database from the metadata of each call', async () => {
      const connection = await wire.connect(proxy.address);
      const ask = async (rpc: string, request: object, dbname?: string) => {
        const metadata = { ...ROOT, ...(dbname && { dbname }) };
        const outcome = await wire.call(connection, rpc, {
          request: request as Record<string, unknown>,
          metadata,
        });
        if (!outcome.ok) throw new Error(outcome.message);
        return milvusService[rpc]!.responseDeserialize(outcome.message);
      };
      // Of a run of this test that failed.
      await ask('DropDatabase', { db_name: 'contract' }).catch(() => {});
      expect(await ask('CreateDatabase', { db_name: 'contract' })).toMatchObject({ error_code: 'Success' });
      expect(await ask('ShowCollections', {}, 'contract')).toMatchObject({
        status: { error_code: 'Success' },
      });
      const nowhere = await ask('ShowCollections', {}, 'no_such_database').catch((error: Error) => error);
      expect(JSON.stringify(nowhere instanceof Error ? nowhere.message : nowhere)).toContain(
        'no_such_database',
      );
      await ask('DropDatabase', { db_name: 'contract' });
    });
  }

  if (name === 'grpc-js') {
    it('understands grpc-timeout, and says so itself', async () => {
      const connection = await wire.connect(proxy.address);
      const outcome = await wire.call(connection, 'Search', { metadata: { 'x-hang': '1' }, timeoutMs: 50 });
      expect(outcome).toMatchObject({ code: GrpcCode.DEADLINE_EXCEEDED, origin: 'server' });
    });

    it('learns of a cancelled call', async () => {
      const connection = await wire.connect(proxy.address);
      const call = wire.send(connection, 'Search', { metadata: { 'x-hang': 'cancel' } });
      await grpcJs.waitFor(received => received.at(-1)?.metadata['x-hang'] === 'cancel');
      call.cancel();
      await grpcJs.waitFor(received => received.at(-1)!.cancelled);
    });

    it('says any status, with any message', async () => {
      const connection = await wire.connect(proxy.address);
      const message = '集合不存在 100% – 🙈';
      for (let code = 1; code <= 16; code += 1) {
        const metadata = { 'x-status': String(code), 'x-message': encodeURIComponent(message) };
        expect(await wire.call(connection, 'Search', { metadata })).toMatchObject({
          code,
          message,
          origin: 'server',
        });
      }
    });

    it('sends and takes 20 MB', async () => {
      const connection = await wire.connect(proxy.address);
      const metadata = { 'x-answer-bytes': '20000000' };
      const request = { collection_name: 'x'.repeat(20_000_000) };
      const outcome = await wire.call(connection, 'Search', { metadata, request });
      expect(outcome.ok && outcome.message.length).toBeGreaterThan(20_000_000);
      expect((grpcJs.received.at(-1)!.request['collection_name'] as string).length).toBe(20_000_000);
    });
  }
});

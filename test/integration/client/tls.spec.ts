import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  MilvusAuthenticationError,
  type MilvusClientOptions,
  MilvusConnectTimeoutError,
  MilvusUnavailableError,
} from '../../../lib/index.js';
import { freePort } from '../../../lib/testing/free-port.js';
import { makeOutdatedCertificates, type OutdatedCertificates } from '../../support/certificates.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { boot, closeBooted, itReports, ROOT, WRONG } from './reported-faults.js';

/** For anybody; calls itself milvus.test and nothing else. */
let oneWay: MilvusStandalone;
/** For users with a certificate. */
let mutual: MilvusStandalone;
let outdated: OutdatedCertificates;
let http: Server;
/** Accepts, and says nothing. */
let silent: Server;
let nobody: string;
const silentSockets: Socket[] = [];

beforeAll(async () => {
  await MilvusStandalone.install();
  [oneWay, mutual] = await Promise.all([
    MilvusStandalone.start({ tls: 'one-way', serverNames: ['milvus.test'] }),
    MilvusStandalone.start({ tls: 'mutual', auth: true }),
  ]);
  outdated = await makeOutdatedCertificates(mutual.certificates);
  http = await listening(createHttpServer((_request, response) => response.end('hello')));
  silent = await listening(createTcpServer(socket => silentSockets.push(socket.on('error', () => {}))));
  nobody = `127.0.0.1:${await freePort()}`;
}, 900_000);

afterEach(closeBooted);

afterAll(async () => {
  for (const socket of silentSockets) socket.destroy();
  for (const server of [http, silent]) server?.close();
  await Promise.all([oneWay, mutual].map(milvus => milvus?.stop()));
});

function listening<S extends Server>(server: S): Promise<S> {
  return new Promise(resolve => {
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}

const addressOf = (server: Server) => `127.0.0.1:${(server.address() as AddressInfo).port}`;

const clientIdentity = () => {
  const { ca, client } = mutual.certificates;
  return { ca: ca.file, cert: client.cert.file, key: client.key.pem };
};
const trustOneWay = () => ({ ca: oneWay.certificates.ca.file, serverName: 'milvus.test' });

const unreachable = { error: MilvusUnavailableError };
const untrusted = { ...unreachable, says: /not signed by a trusted authority/, remedy: /`tls\.ca`/ };
const unknownClient = {
  ...unreachable,
  says: /wants a client certificate that it trusts/,
  remedy: /`tls\.cert` and `tls\.key`/,
};
const otherName = { ...unreachable, says: /certificate is for another name/, remedy: /`tls\.serverName`/ };
const expectsTls = { ...unreachable, says: /expects TLS/, remedy: /https:\/\/ in `address`, or set `tls`/ };
const noTls = { ...unreachable, says: /does not speak TLS/, remedy: /http:\/\/ or leave `tls` out/ };
const saysNothing = { error: MilvusConnectTimeoutError, waits: true } as const;

describe('an application with a real Milvus behind TLS', () => {
  itReports({
    'a wrong password over mTLS': {
      error: MilvusAuthenticationError,
      says: /refused the credentials/,
      remedy: /`password`/,
      options: () => ({ address: `https://root:${WRONG}@${mutual.address}`, tls: clientIdentity() }),
    },
    'no client certificate': {
      ...unknownClient,
      options: () => ({
        address: mutual.address,
        username: 'root',
        password: WRONG,
        tls: { ca: clientIdentity().ca },
      }),
    },
    'a client certificate of another authority': {
      ...unknownClient,
      options: () => ({
        address: mutual.address,
        tls: {
          ca: clientIdentity().ca,
          cert: mutual.certificates.otherClient.cert.pem,
          key: mutual.certificates.otherClient.key.pem,
        },
      }),
    },
    'a client certificate that has expired': {
      ...unknownClient,
      options: () => ({
        address: mutual.address,
        tls: {
          ca: clientIdentity().ca,
          cert: outdated.expiredClient.cert.pem,
          key: outdated.expiredClient.key.pem,
        },
      }),
    },
    'a wrong authority': {
      ...untrusted,
      options: () => ({
        address: mutual.address,
        username: 'root',
        password: WRONG,
        tls: { ...clientIdentity(), ca: mutual.certificates.otherCa.pem },
      }),
    },
    'no authority': { ...untrusted, options: () => ({ address: `https://${oneWay.address}` }) },
    "a server that is not called by its address's host": {
      ...otherName,
      options: () => ({ address: oneWay.address, tls: { ca: trustOneWay().ca } }),
    },
    'a wrong server name': {
      ...otherName,
      says: /certificate is for another name: .*other\.test/,
      options: () => ({ address: oneWay.address, tls: { ...trustOneWay(), serverName: 'other.test' } }),
    },
    'plain text to a TLS port': {
      ...expectsTls,
      options: () => ({ address: oneWay.address, token: `${WRONG}-key` }),
    },
    'plain text to a port that also wants a client certificate': {
      ...expectsTls,
      options: () => ({ address: mutual.address, username: 'root', password: WRONG }),
    },
  });
});

describe('an application with something else than Milvus', () => {
  itReports({
    'an HTTP server': {
      ...unreachable,
      says: /does not speak HTTP\/2, so it is not Milvus/,
      remedy: /Check the port in `address`/,
      options: () => ({ address: addressOf(http), username: 'root', password: WRONG }),
    },
    'TLS to an HTTP server': { ...noTls, options: () => ({ address: `https://${addressOf(http)}` }) },
    'a port that accepts and says nothing': {
      ...saysNothing,
      says: /accepted, but the server did not say anything within pool\.connectTimeoutMs/,
      remedy: /Check that the port in `address`/,
      options: () => ({ address: addressOf(silent), token: `${WRONG}-key` }),
    },
    'a port that accepts and says nothing of TLS': {
      ...saysNothing,
      says: /the TLS handshake did not finish within pool\.connectTimeoutMs/,
      remedy: /Check that the port in `address`/,
      options: () => ({ address: `https://${addressOf(silent)}` }),
    },
    'a port that says nothing for as long as the limits are': {
      ...saysNothing,
      says: /no answer for/,
      remedy: /Check host, port/,
      options: () => ({ address: addressOf(silent), pool: { connectTimeoutMs: 60_000 } }),
    },
    'a port where nobody listens': {
      ...unreachable,
      says: /nothing accepts connections/,
      remedy: /Check that Milvus runs.*`address`/,
      waits: true,
      options: () => ({ address: nobody, username: 'root', password: WRONG }),
    },
  });
});

describe('a client of a real Milvus behind TLS', () => {
  it.each<[what: string, options: () => MilvusClientOptions]>([
    ['user and password over mTLS', () => ({ address: mutual.address, ...ROOT, tls: clientIdentity() })],
    [
      'all in the address, over mTLS',
      () => ({ address: `https://root:Milvus@${mutual.address}/default`, tls: clientIdentity() }),
    ],
    ['no credentials over TLS', () => ({ address: `https://${oneWay.address}`, tls: trustOneWay() })],
    [
      'a token that nobody asks for',
      () => ({ address: oneWay.address, token: `${WRONG}-key`, tls: trustOneWay() }),
    ],
    [
      'a password that nobody asks for',
      () => ({ address: oneWay.address, username: 'none', password: WRONG, tls: trustOneWay() }),
    ],
    [
      'a client certificate that nobody asks for',
      () => ({ address: oneWay.address, tls: { ...clientIdentity(), ...trustOneWay() } }),
    ],
    ['no check of the server', () => ({ address: oneWay.address, tls: { rejectUnauthorized: false } })],
    [
      'no check of the server, but a certificate',
      () => ({
        address: mutual.address,
        ...ROOT,
        tls: { ...clientIdentity(), ca: undefined, rejectUnauthorized: false },
      }),
    ],
  ])('starts and calls with %s', async (_what, options) => {
    const { client, health } = await boot(options());

    expect(await client.showCollections()).toMatchObject({ status: { error_code: 'Success' } });
    expect(await client.isAvailable()).toBe(true);
    expect(await health()).toMatchObject({ status: 'up' });
  });
});

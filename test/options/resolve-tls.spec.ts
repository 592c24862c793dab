import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { MilvusTlsOptions } from '../../lib/options/milvus-client-options.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import { CERTIFICATE, PRIVATE_KEY } from './certificate.js';
import { faultOf, faultsOf } from './expect-faults.js';

const resolve = (options: object) => resolveClientOptions('read', { address: 'h', ...options }).endpoint.tls;

const folder = mkdtempSync(join(tmpdir(), 'tls-options-'));
const certFile = join(folder, 'cert.pem');
const keyFile = join(folder, 'key.pem');

beforeAll(() => {
  writeFileSync(certFile, CERTIFICATE);
  writeFileSync(keyFile, PRIVATE_KEY);
});

afterAll(() => rmSync(folder, { recursive: true }));

describe('TLS', () => {
  it.each<[boolean, object]>([
    [false, {}],
    [false, { address: 'http://h' }],
    [false, { tls: false, ssl: false }],
    [false, { address: 'http://h', ssl: false }],
    [true, { address: 'https://h' }],
    [true, { tls: true }],
    [true, { ssl: true }],
    [true, { tls: {} }],
    [true, { tls: true, ssl: true, address: 'https://h' }],
    [true, { tls: true, address: 'http://h' }],
    [true, { tls: {}, address: 'http://h' }],
    [true, { ssl: true, address: 'http://h' }],
  ])('is %p for %j', (on, options) => {
    expect(resolve(options)).toEqual(on ? { rejectUnauthorized: true } : undefined);
  });

  it.each([
    [{ tls: false, address: 'https://h' }, 'tls: is false, but the address says https'],
    [{ ssl: false, address: 'https://h' }, 'ssl: is false, but the address says https'],
    [{ tls: false, ssl: true }, 'tls: is false, but ssl asks for TLS'],
    [{ tls: true, ssl: false }, 'ssl: is false, but tls asks for TLS'],
    [{ tls: {}, ssl: false }, 'ssl: is false, but tls asks for TLS'],
  ])('%j is a contradiction', (options, fault) => {
    expect(faultOf(options)).toContain(fault);
  });
});

describe('certificates and keys', () => {
  const resolved = { ca: CERTIFICATE, cert: CERTIFICATE, key: PRIVATE_KEY, rejectUnauthorized: true };

  it.each<[string, MilvusTlsOptions]>([
    ['files', { ca: certFile, cert: certFile, key: keyFile }],
    ['PEM text', { ca: CERTIFICATE, cert: CERTIFICATE, key: PRIVATE_KEY }],
    [
      'buffers',
      { ca: Buffer.from(CERTIFICATE), cert: Buffer.from(CERTIFICATE), key: Buffer.from(PRIVATE_KEY) },
    ],
    ["the SDK's files", { rootCertPath: certFile, certChainPath: certFile, privateKeyPath: keyFile }],
    [
      "the SDK's buffers",
      {
        rootCert: Buffer.from(CERTIFICATE),
        certChain: Buffer.from(CERTIFICATE),
        privateKey: Buffer.from(PRIVATE_KEY),
      },
    ],
  ])('are read from %s', (_what, tls) => {
    expect(resolve({ tls })).toStrictEqual(resolved);
  });

  it.each<[MilvusTlsOptions, object]>([
    [{ serverName: 's' }, { serverName: 's', rejectUnauthorized: true }],
    [{ rejectUnauthorized: false }, { rejectUnauthorized: false }],
    [{ rejectUnauthorized: true }, { rejectUnauthorized: true }],
    [{ skipCertCheck: true }, { rejectUnauthorized: false }],
    [{ skipCertCheck: false }, { rejectUnauthorized: true }],
  ])('%j is kept', (tls, expected) => {
    expect(resolve({ tls })).toStrictEqual(expected);
  });

  it.each<[MilvusTlsOptions, string]>([
    [{ ca: certFile, rootCertPath: certFile }, 'tls.ca: is the same option as tls.rootCertPath'],
    [
      { cert: certFile, certChainPath: certFile, key: keyFile, privateKey: Buffer.from(PRIVATE_KEY) },
      'tls.cert: is the same option as tls.certChainPath',
    ],
    [
      { key: keyFile, privateKey: Buffer.from(PRIVATE_KEY), cert: certFile },
      'tls.key: is the same option as tls.privateKey',
    ],
    [
      { rejectUnauthorized: true, skipCertCheck: false },
      'tls.rejectUnauthorized: is the same option as tls.skipCertCheck',
    ],
    [{ cert: certFile }, 'tls.cert: has no private key: give tls.key'],
    [{ certChainPath: certFile }, 'tls.certChainPath: has no private key'],
    [{ key: keyFile }, 'tls.key: has no certificate: give tls.cert'],
    [{ ca: '/no/such/file' }, "tls.ca: names a file that cannot be read (ENOENT): '/no/such/file'"],
    [{ rootCertPath: '/no/such/file' }, 'tls.rootCertPath: names a file that cannot be read (ENOENT)'],
    [{ ca: folder }, `tls.ca: names a file that cannot be read (EISDIR): '${folder}'`],
    [{ ca: 'a\0b' }, 'tls.ca: names a file that cannot be read (ERR_INVALID_ARG_VALUE)'],
    [{ ca: '' }, 'tls.ca: is empty'],
    [{ rootCertPath: '' }, 'tls.rootCertPath: is empty'],
    [{ ca: import.meta.filename }, 'tls.ca: is not a certificate'],
    [{ ca: join(import.meta.dirname, 'expect-faults.ts') }, "tls.ca: holds no PEM text ('-----BEGIN …')"],
    [{ ca: Buffer.from('') }, 'tls.ca: holds no PEM text'],
    [{ ca: PRIVATE_KEY }, 'tls.ca: is not a certificate'],
    [{ ca: CERTIFICATE.replaceAll('\n', '\\n') }, 'tls.ca: is PEM text without line breaks'],
    [
      { cert: PRIVATE_KEY, key: CERTIFICATE },
      'tls.cert: cannot be used with tls.key (ERR_OSSL_PEM_NO_START_LINE)',
    ],
  ])('%# is refused: %s', (tls, fault) => {
    expect(faultsOf({ address: 'h', tls })[0]).toContain(fault);
  });

  it('that do not belong together are refused', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(faultOf({ tls: { cert: CERTIFICATE, key } })).toMatch('KEY_VALUES_MISMATCH');
  });

  it('are never shown', () => {
    const body = PRIVATE_KEY.split('\n').slice(1, -2);
    for (const key of [
      body.join('\n'),
      body.join(''),
      Buffer.from(PRIVATE_KEY).toString('base64'),
      PRIVATE_KEY.replaceAll('\n', '\\n'),
      PRIVATE_KEY.slice(0, 90),
      Buffer.from(PRIVATE_KEY),
    ]) {
      const faults = faultsOf({ address: 'h', tls: { key, privateKey: Buffer.from(PRIVATE_KEY) } }).join();
      expect(faults).toContain('tls.key');
      expect(faults).not.toContain(body[0]!.slice(0, 20));
      const alone = faultsOf({ address: 'h', tls: { key, cert: CERTIFICATE } }).join();
      expect(alone).not.toContain(body[0]!.slice(0, 20));
      expect(alone).not.toContain(Buffer.from(PRIVATE_KEY).toString('base64').slice(40, 60));
    }
  });
});

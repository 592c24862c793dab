import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The same thing twice: options take one or the other. */
export interface Pem {
  pem: string;
  file: string;
}

export interface Identity {
  cert: Pem;
  key: Pem;
}

export interface Certificates {
  /** Signed `server` and `client`. */
  ca: Pem;
  /** Good for localhost, 127.0.0.1 and `milvus.test`. */
  server: Identity;
  client: Identity;
  /** Signed `otherClient` and nothing else. */
  otherCa: Pem;
  otherClient: Identity;
}

/** grpc-go takes no certificate without a subject alternative name. */
const SERVER_NAMES = 'subjectAltName=DNS:localhost,IP:127.0.0.1,DNS:milvus.test';
const CLIENT_NAMES = 'subjectAltName=DNS:client.test';

const run = promisify(execFile);

/** Makes certificates that are valid for a day, with the `openssl` command: Node can read certificates but not make them. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  const ca = await makeAuthority(folder, 'ca');
  const otherCa = await makeAuthority(folder, 'other-ca');
  return {
    ca: ca.cert,
    server: await makeIdentity(folder, 'server', ca, `${SERVER_NAMES}\nextendedKeyUsage=serverAuth`),
    client: await makeIdentity(folder, 'client', ca, `${CLIENT_NAMES}\nextendedKeyUsage=clientAuth`),
    otherCa: otherCa.cert,
    otherClient: await makeIdentity(
      folder,
      'other-client',
      otherCa,
      `${CLIENT_NAMES}\nextendedKeyUsage=clientAuth`,
    ),
  };
}

async function makeAuthority(folder: string, name: string): Promise<Identity> {
  const key = await makeKey(folder, name);
  const request = await makeRequest(folder, name, key);
  return {
    cert: await sign(folder, name, request, ['-signkey', key.file], 'basicConstraints=critical,CA:TRUE'),
    key,
  };
}

async function makeIdentity(
  folder: string,
  name: string,
  ca: Identity,
  extensions: string,
): Promise<Identity> {
  const key = await makeKey(folder, name);
  const request = await makeRequest(folder, name, key);
  const issuer = ['-CA', ca.cert.file, '-CAkey', ca.key.file, '-CAcreateserial'];
  return { cert: await sign(folder, name, request, issuer, extensions), key };
}

async function makeKey(folder: string, name: string): Promise<Pem> {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const file = join(folder, `${name}.key`);
  await writeFile(file, privateKey, { mode: 0o600 });
  return { pem: privateKey, file };
}

async function makeRequest(folder: string, name: string, key: Pem): Promise<string> {
  const file = join(folder, `${name}.csr`);
  await openssl(['req', '-new', '-key', key.file, '-subj', `/CN=${name}`, '-out', file]);
  return file;
}

async function sign(
  folder: string,
  name: string,
  request: string,
  issuer: string[],
  extensions: string,
): Promise<Pem> {
  const extensionFile = join(folder, `${name}.ext`);
  await writeFile(extensionFile, `${extensions}\n`);
  const file = join(folder, `${name}.pem`);
  await openssl([
    'x509',
    '-req',
    '-sha256',
    '-days',
    '1',
    '-in',
    request,
    ...issuer,
    '-extfile',
    extensionFile,
    '-out',
    file,
  ]);
  return { pem: await readFile(file, 'utf8'), file };
}

async function openssl(args: string[]): Promise<void> {
  try {
    await run('openssl', args);
  } catch (error) {
    throw new Error(`The TLS tests need the openssl command: ${(error as Error).message}`, { cause: error });
  }
}

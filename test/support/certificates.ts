import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
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
  /** Good for localhost, 127.0.0.1 and `milvus.test`, unless other names were asked for. */
  server: Identity;
  client: Identity;
  /** Signed `otherClient` and nothing else. */
  otherCa: Pem;
  otherClient: Identity;
}

/** Signed by the `ca` of {@link Certificates}, which does not make up for their dates. */
export interface OutdatedCertificates {
  expiredServer: Identity;
  futureServer: Identity;
  expiredClient: Identity;
}

const SERVER_NAMES = ['localhost', '127.0.0.1', 'milvus.test'];
const CLIENT = `${namesExtension(['client.test'])}\nextendedKeyUsage=clientAuth`;

const run = promisify(execFile);

/** Makes certificates that are valid for a day, with the `openssl` command: Node can read certificates but not make them. */
export async function makeCertificates(
  folder: string,
  serverNames: string[] = SERVER_NAMES,
): Promise<Certificates> {
  const ca = await makeAuthority(folder, 'ca');
  const otherCa = await makeAuthority(folder, 'other-ca');
  return {
    ca: ca.cert,
    server: await makeIdentity(folder, 'server', ca, serverExtensions(serverNames)),
    client: await makeIdentity(folder, 'client', ca, CLIENT),
    otherCa: otherCa.cert,
    otherClient: await makeIdentity(folder, 'other-client', otherCa, CLIENT),
  };
}

/** Makes certificates out of their time, beside the others. */
export async function makeOutdatedCertificates({ ca }: Certificates): Promise<OutdatedCertificates> {
  const folder = dirname(ca.file);
  const config = join(folder, 'dates.cnf');
  await writeFile(join(folder, 'issued.txt'), '');
  await writeFile(
    config,
    [
      '[ca]',
      'default_ca=dates',
      '[dates]',
      `database=${join(folder, 'issued.txt')}`,
      `new_certs_dir=${folder}`,
      'rand_serial=yes',
      'unique_subject=no',
      'default_md=sha256',
      'policy=any',
      '[any]',
      'commonName=supplied',
    ].join('\n'),
  );
  const year = new Date().getUTCFullYear();
  const make = async (name: string, extensions: string, fromYear: number): Promise<Identity> => {
    const key = await makeKey(folder, name);
    const request = await makeRequest(folder, name, key);
    const dates = ['-startdate', `${fromYear}0101000000Z`, '-enddate', `${fromYear + 1}0101000000Z`];
    const issuer = ['-cert', ca.file, '-keyfile', join(folder, 'ca.key')];
    const command = ['ca', '-batch', '-notext', '-config', config, ...issuer, ...dates];
    return { cert: await issue(folder, name, [...command, '-in', request], extensions), key };
  };
  // One after the other: openssl keeps a list of what it issued.
  return {
    expiredServer: await make('expired-server', serverExtensions(SERVER_NAMES), year - 2),
    futureServer: await make('future-server', serverExtensions(SERVER_NAMES), year + 2),
    expiredClient: await make('expired-client', CLIENT, year - 2),
  };
}

/** grpc-go takes no certificate without a subject alternative name. */
function namesExtension(names: string[]): string {
  return `subjectAltName=${names.map(name => `${isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',')}`;
}

function serverExtensions(names: string[]): string {
  return `${namesExtension(names)}\nextendedKeyUsage=serverAuth`;
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

function sign(
  folder: string,
  name: string,
  request: string,
  issuer: string[],
  extensions: string,
): Promise<Pem> {
  const command = ['x509', '-req', '-sha256', '-days', '1', '-in', request, ...issuer];
  return issue(folder, name, command, extensions);
}

/** Runs the command that makes a certificate. */
async function issue(folder: string, name: string, command: string[], extensions: string): Promise<Pem> {
  const extensionFile = join(folder, `${name}.ext`);
  await writeFile(extensionFile, `${extensions}\n`);
  const file = join(folder, `${name}.pem`);
  await openssl([...command, '-extfile', extensionFile, '-out', file]);
  return { pem: await readFile(file, 'utf8'), file };
}

async function openssl(args: string[]): Promise<void> {
  try {
    await run('openssl', args);
  } catch (error) {
    throw new Error(`The TLS tests need the openssl command: ${(error as Error).message}`, { cause: error });
  }
}

import type { MilvusClientOptions, MilvusTlsOptions } from './milvus-client-options.js';
import type { OptionFaults } from './option-faults.js';
import type { ResolvedTls } from './resolved-options.js';
import { checkAuthority, checkIdentity, readPem } from './tls-material.js';

type TlsOption = keyof MilvusTlsOptions;

/** Our names and the SDK's for the same thing. */
const CA: TlsOption[] = ['ca', 'rootCertPath', 'rootCert'];
const CERT: TlsOption[] = ['cert', 'certChainPath', 'certChain'];
const KEY: TlsOption[] = ['key', 'privateKeyPath', 'privateKey'];

/** Whether to use TLS, and how. Explicit options beat an `http` address, and must not contradict an `https` one. */
export function resolveTls(
  { tls, ssl }: Pick<MilvusClientOptions, 'tls' | 'ssl'>,
  secureAddress: boolean | undefined,
  faults: OptionFaults,
): ResolvedTls | undefined {
  const on = tls ? 'tls' : ssl ? 'ssl' : undefined;
  const off = tls === false ? 'tls' : ssl === false ? 'ssl' : undefined;
  if (off && on) faults.add(off, `is false, but ${on} asks for TLS: give one of the two`);
  if (off && secureAddress) {
    faults.add(off, `is false, but the address says https: use http:// for plain text, or leave out ${off}`);
  }
  if (typeof tls === 'object') return readTls(tls, faults);
  return on || secureAddress ? { rejectUnauthorized: true } : undefined;
}

function readTls(tls: MilvusTlsOptions, faults: OptionFaults): ResolvedTls {
  const verify = theOne(tls, ['rejectUnauthorized', 'skipCertCheck'], faults);
  const ca = readMaterial(tls, CA, faults);
  const cert = readMaterial(tls, CERT, faults);
  const key = readMaterial(tls, KEY, faults);
  if (ca) checkAuthority(ca, faults);
  if (cert && key) checkIdentity(cert, key, faults);
  if (cert && !key && faults.none(...KEY.map(pathOf)))
    faults.add(cert.path, 'has no private key: give tls.key');
  if (key && !cert && faults.none(...CERT.map(pathOf)))
    faults.add(key.path, 'has no certificate: give tls.cert');
  return {
    ...(ca && { ca: ca.pem }),
    ...(cert && { cert: cert.pem }),
    ...(key && { key: key.pem }),
    ...(tls.serverName !== undefined && { serverName: tls.serverName }),
    rejectUnauthorized: verify === 'skipCertCheck' ? !tls.skipCertCheck : (tls.rejectUnauthorized ?? true),
  };
}

function readMaterial(tls: MilvusTlsOptions, names: TlsOption[], faults: OptionFaults) {
  const name = theOne(tls, names, faults);
  if (name === undefined) return undefined;
  const pem = readPem(tls[name] as string | Buffer, pathOf(name), faults);
  return pem === undefined ? undefined : { path: pathOf(name), pem };
}

function theOne(tls: MilvusTlsOptions, names: TlsOption[], faults: OptionFaults): TlsOption | undefined {
  const [name, ...others] = names.filter(name => tls[name] !== undefined);
  if (name && others.length > 0) {
    faults.add(
      pathOf(name),
      `is the same option as ${others.map(pathOf).join(' and ')}: give only one of them`,
    );
  }
  return name;
}

function pathOf(name: TlsOption): string {
  return `tls.${name}`;
}

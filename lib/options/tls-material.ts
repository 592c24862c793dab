import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { OptionFaults } from './option-faults.js';

/** A certificate or key, and the option it came from. */
export interface TlsMaterial {
  path: string;
  pem: string;
}

/** PEM text out of a `Buffer`, PEM text or the path of a file; no message shows what is in it. */
export function readPem(source: string | Buffer, path: string, faults: OptionFaults): string | undefined {
  const isFile = typeof source === 'string' && !source.includes('-----BEGIN');
  const pem = isFile ? readFile(source, path, faults) : source.toString();
  if (pem === undefined) return undefined;
  if (!pem.includes('-----BEGIN')) {
    faults.add(path, "holds no PEM text ('-----BEGIN …'): convert it to PEM");
    return undefined;
  }
  if (!pem.includes('\n')) {
    faults.add(path, "is PEM text without line breaks: restore them, as in value.replaceAll('\\\\n', '\\n')");
    return undefined;
  }
  return pem;
}

function readFile(file: string, path: string, faults: OptionFaults): string | undefined {
  if (file === '') {
    faults.add(path, 'is empty: leave it out, or check the configuration source');
    return undefined;
  }
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    // A key that came without its PEM header must not be shown as if it were the name of a file.
    const maybeKey = /\s/.test(file) || /^[\w+/=-]{48,}$/.test(file);
    const reason = codeOf(error);
    faults.add(
      path,
      maybeKey
        ? `is neither PEM text nor a file that can be read (${reason}): give one of the two`
        : `names a file that cannot be read (${reason}): '${file}'; give PEM text, or a file there is`,
    );
    return undefined;
  }
}

/** Finds a broken authority, which Node would take silently and then trust nobody. */
export function checkAuthority(ca: TlsMaterial, faults: OptionFaults): void {
  try {
    new X509Certificate(ca.pem);
  } catch (error) {
    faults.add(ca.path, `is not a certificate (${codeOf(error)}): give one or more in PEM`);
  }
}

/** Finds a client certificate and key that cannot be used, or do not belong together. */
export function checkIdentity(cert: TlsMaterial, key: TlsMaterial, faults: OptionFaults): void {
  try {
    createSecureContext({ cert: cert.pem, key: key.pem });
  } catch (error) {
    faults.add(
      cert.path,
      `cannot be used with ${key.path} (${codeOf(error)}): give a certificate and its own key, the key without passphrase`,
    );
  }
}

/** Only the code: it cannot hold what was read. */
function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

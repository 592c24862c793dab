import { isIPv4, isIPv6 } from 'node:net';
import { domainToASCII } from 'node:url';
import type { MilvusAddress } from './resolved-options.js';

/** One address as written: the server, and what a URL says besides. */
export interface ParsedAddress extends MilvusAddress {
  /** `true` for `https`, `false` for `http`, absent without a scheme. */
  secure?: boolean;
  username?: string;
  password?: string;
  database?: string;
}

const PARTS = /^(?:([a-z][a-z\d+.-]*):\/\/)?([^/?#]*)([^?#]*)(.*)$/is;
const HOST_NAME = /^[\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}_-]*(\.[\p{L}\p{M}\p{N}_-]+)*\.?$/u;
const SCHEME_NEEDED =
  'needs a scheme to carry a user, password or database: write http://user:password@host:port/database';

/**
 * Reads `host`, `host:port` or `http(s)://user:password@host:port/database`; IPv6 hosts stand in brackets.
 *
 * Not `new URL`: that drops an explicit `:80` or `:443`, and takes `http:host` or the host `1` for something else.
 *
 * @throws a plain `Error` that shows the address without its credentials, and the remedy
 */
export function parseAddress(text: string): ParsedAddress {
  if (text === '') throw new Error('is empty: give host:port, for example localhost:19530');
  const fault = (message: string) => new Error(`'${redactAddress(text)}' ${message}`);
  if (/\s/.test(text)) throw fault('has whitespace in it: remove it');

  const [, scheme, authority = '', path = '', tail] = PARTS.exec(text)!;
  if (scheme !== undefined && !/^https?$/i.test(scheme)) {
    throw fault('has an unknown scheme: use http://, https:// for TLS, or none');
  }
  if ((path + tail).includes('@')) {
    throw fault("has an '@' after the host: percent-encode '/', '?', '#' and '@' in user and password");
  }
  if (tail) throw fault("has a query or fragment: remove what begins with '?' or '#'");

  const at = authority.lastIndexOf('@');
  if (scheme === undefined && (at >= 0 || path !== '')) throw fault(SCHEME_NEEDED);
  const secure = scheme === undefined ? undefined : scheme.toLowerCase() === 'https';
  const { host, port } = parseHostAndPort(authority.slice(at + 1), fault);
  return {
    host,
    port: port ?? (secure ? 443 : 19530),
    ...(secure === undefined ? {} : { secure }),
    ...parseUserInfo(authority.slice(0, Math.max(at, 0)), fault),
    ...parseDatabase(path, fault),
  };
}

/** `host:port`, with brackets around an IPv6 host. */
export function describeAddress({ host, port }: MilvusAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * The address without anything that may be a secret, for messages. Takes any text: what does not look like a host,
 * port or path may be a misplaced password, and is shown as `***`.
 */
export function redactAddress(text: string): string {
  const trimmed = text.trim();
  const scheme = /^[a-z][a-z\d+.-]*:\/\//i.exec(trimmed)?.[0] ?? '';
  // The last '@' of all, because an unencoded password may hold '/', '?', '#' or '@' itself.
  const rest = trimmed.slice(Math.max(trimmed.lastIndexOf('@') + 1, scheme.length));
  if (isIPv6(rest) || /^[\da-f:]*::[\da-f:]*$/i.test(rest)) return scheme + rest;

  const [host, bracketed] = /^(?:(\[[\da-f:.]*(?:%[\w.-]*)?\])|[^:/?#[\]]*)/i.exec(rest)!;
  if (!bracketed && host !== '' && !isHostName(host)) return `${scheme}***`;
  const afterHost = rest.slice(host.length);
  const [known, port] = /^(?::(\d+)(?=[/?#]|$))?(?:\/[\w.~/-]*)?/.exec(afterHost)!;
  const shown = afterHost.startsWith(':') && !isPort(port ?? '') ? ':' : known;
  return `${scheme}${host}${shown}${shown === afterHost ? '' : '***'}`;
}

function isHostName(text: string): boolean {
  return text.length <= 253 && HOST_NAME.test(text);
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

type Fault = (message: string) => Error;

function parseHostAndPort(text: string, fault: Fault): { host: string; port?: number } {
  if (text.includes(',')) throw fault('has a comma in it: give several addresses as an array');
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed) {
    const host = bracketed[1]!.toLowerCase();
    if (!isIPv6(host)) throw fault('has no IPv6 address in its brackets');
    return { host, port: parsePort(bracketed[2], fault) };
  }
  const [name = '', port, ...more] = text.split(':');
  if (more.length > 0) {
    throw fault("has more than one ':' after the host: put an IPv6 host in brackets, as in [::1]:19530");
  }
  return { host: parseHostName(name, fault), port: parsePort(port, fault) };
}

function parseHostName(text: string, fault: Fault): string {
  if (text === '') throw fault('has no host: write host:port');
  const host = isHostName(text) ? domainToASCII(text) : '';
  if (host === '') throw fault('has a host that is neither a name nor an IP address');
  // domainToASCII takes numbers for IPv4: 19530 becomes 0.0.76.74.
  if (isIPv4(host) && host !== text) {
    throw fault('has a number in place of the host: write host:port, and IPv4 as four decimal numbers');
  }
  return host;
}

function parsePort(text: string | undefined, fault: Fault): number | undefined {
  if (text === undefined) return undefined;
  if (!isPort(text)) throw fault("needs a port from 1 to 65535 after the ':', or no ':'");
  return Number(text);
}

function parseUserInfo(text: string, fault: Fault): { username?: string; password?: string } {
  const colon = text.indexOf(':');
  const username = decode(colon < 0 ? text : text.slice(0, colon), 'user', fault);
  return {
    ...(username === '' ? {} : { username }),
    ...(colon < 0 ? {} : { password: decode(text.slice(colon + 1), 'password', fault) }),
  };
}

function parseDatabase(path: string, fault: Fault): { database?: string } {
  const segments = path.slice(1).replace(/\/$/, '');
  if (segments.includes('/')) {
    throw fault('has more than one path segment: only a database may follow the host');
  }
  return segments === '' ? {} : { database: decode(segments, 'database', fault) };
}

function decode(text: string, part: string, fault: Fault): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw fault(`has a ${part} that is not valid percent-encoding: write '%' as %25`);
  }
}

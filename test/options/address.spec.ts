import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  describeAddress,
  type ParsedAddress,
  parseAddress,
  redactAddress,
} from '../../lib/options/address.js';

describe('parseAddress', () => {
  it.each<[string, ParsedAddress]>([
    ['localhost', { host: 'localhost', port: 19530 }],
    ['localhost:1', { host: 'localhost', port: 1 }],
    ['milvus_proxy-0.milvus.svc.:65535', { host: 'milvus_proxy-0.milvus.svc.', port: 65535 }],
    ['LocalHost', { host: 'localhost', port: 19530 }],
    ['bücher.example', { host: 'xn--bcher-kva.example', port: 19530 }],
    ['127.0.0.1:19531', { host: '127.0.0.1', port: 19531 }],
    [`${'a'.repeat(63)}.${'b'.repeat(189)}`, { host: `${'a'.repeat(63)}.${'b'.repeat(189)}`, port: 19530 }],
    ['[::1]', { host: '::1', port: 19530 }],
    ['[FE80::1%eth0]:19531', { host: 'fe80::1%eth0', port: 19531 }],
    ['http://h', { host: 'h', port: 19530, secure: false }],
    ['http://h:80', { host: 'h', port: 80, secure: false }],
    ['https://h', { host: 'h', port: 443, secure: true }],
    ['https://h:443', { host: 'h', port: 443, secure: true }],
    ['HTTPS://h:80/', { host: 'h', port: 80, secure: true }],
    ['http://[::1]', { host: '::1', port: 19530, secure: false }],
    ['https://[::1]:1/db/', { host: '::1', port: 1, secure: true, database: 'db' }],
    ['http://h/a%62c', { host: 'h', port: 19530, secure: false, database: 'abc' }],
    ['http://u@h', { host: 'h', port: 19530, secure: false, username: 'u' }],
    ['http://u:@h', { host: 'h', port: 19530, secure: false, username: 'u', password: '' }],
    ['http://:p@h', { host: 'h', port: 19530, secure: false, password: 'p' }],
    ['http://@h', { host: 'h', port: 19530, secure: false }],
    ['http://u:a:b@h', { host: 'h', port: 19530, secure: false, username: 'u', password: 'a:b' }],
    ['http://u:a@b@h', { host: 'h', port: 19530, secure: false, username: 'u', password: 'a@b' }],
    [
      'https://r%40t:p%2F%3A%20@h:2/db',
      { host: 'h', port: 2, secure: true, username: 'r@t', password: 'p/: ', database: 'db' },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseAddress(text)).toStrictEqual(expected);
  });

  it.each([
    ['', 'is empty'],
    [' ', 'whitespace'],
    ['localhost:19530\n', 'whitespace'],
    ['http://u:p q@h', 'whitespace'],
    ['localhost:0', 'port from 1 to 65535'],
    ['localhost:65536', 'port from 1 to 65535'],
    ['localhost:', 'port from 1 to 65535'],
    ['localhost:abc', 'port from 1 to 65535'],
    ['localhost:-1', 'port from 1 to 65535'],
    ['localhost:1e3', 'port from 1 to 65535'],
    ['http://[::1]:0', 'port from 1 to 65535'],
    ['grpc://h:1', 'use http://, https:// for TLS, or none'],
    [':19530', 'no host'],
    ['http://', 'no host'],
    ['http://u:p@', 'no host'],
    ['19530', 'number in place of the host'],
    ['127.1:19530', 'number in place of the host'],
    ['999.0.0.1', 'neither a name nor an IP address'],
    ['h\\x', 'neither a name nor an IP address'],
    ['a..b', 'neither a name nor an IP address'],
    ['a%41', 'neither a name nor an IP address'],
    [`${'a'.repeat(254)}:1`, 'neither a name nor an IP address'],
    ['::1:19530', 'brackets, as in [::1]:19530'],
    ['::1', 'brackets, as in [::1]:19530'],
    ['http://fe80::1', 'brackets, as in [::1]:19530'],
    ['[localhost]:1', 'no IPv6 address in its brackets'],
    ['[::1]x', 'neither a name nor|put an IPv6 host in brackets'],
    ['a:1,b:2', 'as an array'],
    ['h:1/db', 'needs a scheme'],
    ['u:p@h:1', 'needs a scheme'],
    ['@h:1', 'needs a scheme'],
    ['h:000443', 'port from 1 to 65535'],
    ['http://h/a/b', 'more than one path segment'],
    ['http://h//b', 'more than one path segment'],
    ['http://h/db?x=1', 'query or fragment'],
    ['http://h?x=1', 'query or fragment'],
    ['http://h#x', 'query or fragment'],
    ['http://u:p/q@h', "percent-encode '/'"],
    ['http://u:p#q@h', "percent-encode '/'"],
    ['http://%zz:p@h', 'user that is not valid percent-encoding'],
    ['http://u:100%@h', 'password that is not valid percent-encoding'],
    ['http://h/%ff', 'database that is not valid percent-encoding'],
  ])('refuses %j', (text, reason) => {
    expect(() => parseAddress(text)).toThrow(new RegExp(reason.split('|').map(escapeRegExp).join('|')));
  });

  const escapeRegExp = (text: string) => text.replace(/[[\](){}.*+?/\\^$]/g, '\\$&');

  const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,10}$/);
  const host = fc.oneof(fc.domain(), word, fc.ipV4(), fc.ipV6());
  const port = fc.integer({ min: 1, max: 65_535 });
  const secret = fc.string({ unit: 'grapheme' });

  it('reads back every bare address that it can be given', () => {
    fc.assert(
      fc.property(host, port, (host, port) => {
        expect(parseAddress(describeAddress({ host, port }))).toStrictEqual({ host, port });
      }),
    );
  });

  it('reads back every URL, whatever the user, password and database', () => {
    const user = fc.record({ username: fc.string({ unit: 'grapheme', minLength: 1 }), password: secret });
    fc.assert(
      fc.property(host, port, fc.boolean(), user, secret, (host, port, secure, user, database) => {
        const userInfo = `${encodeURIComponent(user.username)}:${encodeURIComponent(user.password)}`;
        const url = `http${secure ? 's' : ''}://${userInfo}@${describeAddress({ host, port })}/${encodeURIComponent(database)}`;
        const expected = { host, port, secure, ...user, ...(database === '' ? {} : { database }) };
        expect(parseAddress(url)).toStrictEqual(expected);
      }),
    );
  });

  it('reads any text, or throws a plain Error of one line', () => {
    const pieces = fc.constantFrom(
      'http://',
      'https://',
      'h',
      '1',
      ':',
      '/',
      '@',
      '[',
      ']',
      '::1',
      '%',
      '%4',
      '?',
      '#',
      '\n',
      ' ',
      '\\',
      'é',
      '\ud800',
    );
    const anything = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.array(pieces).map(parts => parts.join('')),
    );
    fc.assert(
      fc.property(anything, text => {
        let parsed: ParsedAddress;
        try {
          parsed = parseAddress(text);
        } catch (error) {
          expect((error as Error).constructor).toBe(Error);
          expect((error as Error).message).not.toMatch(/[\n\r]/);
          return;
        }
        expect(parsed.host).not.toBe('');
        expect(parsed.port).toBeGreaterThan(0);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('redactAddress', () => {
  it.each([
    ['localhost:19530', 'localhost:19530'],
    [' localhost:19530\n', 'localhost:19530'],
    ['https://u:p@h:1/db', 'https://h:1/db'],
    ['u:p@h:1', 'h:1'],
    ['HTTPS://H:1', 'HTTPS://H:1'],
    ['FE80:::1', 'FE80:::1'],
    ['[FE80::1]:1', '[FE80::1]:1'],
    ['http://u:p/w?x#y@z@h', 'http://h'],
    ['http://[fe80::1%eth0]:1', 'http://[fe80::1%eth0]:1'],
    ['::1:19530', '::1:19530'],
    ['grpc://h', 'grpc://h'],
    ['h:1?token=abc', 'h:1***'],
    ['root:Milvus', 'root:***'],
    ['http://root:Milvus', 'http://root:***'],
    ['root:1234567', 'root:***'],
    ['http://root:Mil/vus', 'http://root:***'],
    ['[secret]:1', '***'],
    ['-----BEGIN PRIVATE KEY-----\nMIGH', '***'],
  ])('shows %j as %j', (text, shown) => {
    expect(redactAddress(text)).toBe(shown);
  });

  it('shows no password, in the message of parseAddress neither, whatever is around it', () => {
    const junk = fc.string({
      unit: fc.constantFrom('a', '1', ':', '/', '@', '?', '#', '[', ']', '%', ' ', '\n', '\\', '.', '-'),
    });
    const frame = fc.record({
      scheme: fc.constantFrom('', 'http://', 'https://', 'grpc://', 'http:', 'http:/', '//'),
      before: junk,
      after: junk,
      host: fc.constantFrom('', 'h', 'h:1', 'h:99999', '[::1]:1/db', 'h/a/b', '::1'),
    });
    fc.assert(
      fc.property(frame, ({ scheme, before, after, host }) => {
        const text = `${scheme}root:${before}S3CRET${after}@${host}`;
        expect(redactAddress(text)).not.toContain('S3CRET');
        expect(messageOf(() => parseAddress(text))).not.toContain('S3CRET');
      }),
      { numRuns: 2_000 },
    );
  });

  const messageOf = (run: () => unknown): string => {
    try {
      run();
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  };
});

describe('describeAddress', () => {
  it.each([
    [{ host: 'h', port: 1 }, 'h:1'],
    [{ host: '::1', port: 19530 }, '[::1]:19530'],
  ])('shows %j as %s', (address, shown) => {
    expect(describeAddress(address)).toBe(shown);
  });
});

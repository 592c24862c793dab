import { describe, expect, it } from '@jest/globals';
import type { EndpointClaim } from '../../lib/endpoint/shared-endpoint.js';
import { SharedEndpoints } from '../../lib/endpoint/shared-endpoints.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import type { EndpointOptions } from '../../lib/options/resolved-options.js';
import { CERTIFICATE, PRIVATE_KEY } from '../options/certificate.js';
import { claims, given, resolved, user } from './endpoint-users.js';

function reordered<T>(value: T): T {
  if (Array.isArray(value)) return [...value].reverse().map(reordered) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, each]) => [key, reordered(each)]),
  ) as T;
}

/** Each option alone with another value: by its path. */
function* variants(value: unknown, path: string[] = []): Iterable<[path: string, options: unknown]> {
  if (Array.isArray(value)) {
    yield [path.join('.'), value.slice(1)];
    yield [path.join('.'), [...value, { ...value[0], port: 99 }]];
  } else if (typeof value === 'object' && value !== null) {
    if (path.length > 0 && path[0] !== 'pool') yield [path.join('.'), false];
    for (const [key, each] of Object.entries(value)) {
      for (const [at, other] of variants(each, [...path, key])) yield [at, { ...value, [key]: other }];
    }
  } else if (typeof value === 'number') yield [path.join('.'), value + 1];
  else if (typeof value === 'boolean') yield [path.join('.'), !value];
  else yield [path.join('.'), `${value}-other`];
}

describe('clients whose endpoint options are equal', () => {
  it('share one endpoint, in whatever order the options and addresses were given', () => {
    const directory = new SharedEndpoints();
    const one = directory.claim(resolved(given()), user('one'));
    const other = directory.claim(resolved(reordered(given())), user('other'));
    expect(other.endpoint).toBe(one.endpoint);
    expect(other.waiting).toBe(one.waiting);
    expect(directory.stats()).toMatchObject([{ clients: ['one', 'other'] }]);
    expect([one.users, other.users]).toEqual([
      ['one', 'other'],
      ['one', 'other'],
    ]);
  });

  it('share one where one gives the defaults and the other leaves them out', () => {
    const directory = new SharedEndpoints();
    const { name: _name, endpoint, ...client } = resolveClientOptions('any', { address: 'h:1' });
    const { addresses: _addresses, ...spelledOut } = endpoint;
    const [one, other] = [{}, { ...client, ...spelledOut }].map(options =>
      directory.claim(resolved(options), user('any')),
    );
    expect(other!.endpoint).toBe(one!.endpoint);
  });

  it('share one whatever differs in who they are, and how they call', () => {
    const directory = new SharedEndpoints();
    const ours = [
      { token: 'a-token-of-one' },
      { username: 'ann', password: 'lark-song', database: 'books' },
      { credentials: () => ({ token: 'asked-token' }) },
      { timeouts: { readMs: 1 }, retry: false, errors: 'status' },
      { startup: { mode: 'lazy' }, shutdown: { drainTimeoutMs: 1 }, leakDetection: false },
    ];
    const endpoints = ours.map(options => directory.claim(resolved(options), user('any')).endpoint);
    expect(new Set(endpoints).size).toBe(1);
  });

  it('share one with the same certificates, as text or as bytes, and with none others', () => {
    const directory = new SharedEndpoints();
    const tls = { ca: CERTIFICATE, cert: CERTIFICATE, key: PRIVATE_KEY, serverName: 'milvus' };
    const endpointWith = (more: object) =>
      directory.claim(resolved({ tls: { ...tls, ...more } }), user('any')).endpoint;
    const one = endpointWith({});
    expect(endpointWith({ ca: Buffer.from(CERTIFICATE), key: Buffer.from(PRIVATE_KEY) })).toBe(one);
    const others = [
      { ca: `${CERTIFICATE}\n` },
      { cert: undefined, key: undefined },
      { serverName: 'other' },
      { serverName: undefined },
      { rejectUnauthorized: false },
    ].map(endpointWith);
    expect(new Set([one, ...others, directory.claim(resolved({}), user('any')).endpoint]).size).toBe(7);
  });
});

describe('clients of which one endpoint option differs', () => {
  it.each([...variants(resolved())])('have endpoints of their own: %s', (_path, options) => {
    const directory = new SharedEndpoints();
    const one = directory.claim(resolved(), user('one'));
    const other = directory.claim(options as EndpointOptions, user('other'));
    expect(other.endpoint).not.toBe(one.endpoint);
    expect(directory.stats().map(({ clients }) => clients)).toEqual([['one'], ['other']]);
  });

  it('are all that there are options', () => {
    const paths = new Set([...variants(resolved())].map(([path]) => path.split('.').at(-1)!));
    const written = JSON.stringify({ ...given(), addresses: ['host', 'port'] });
    const names = [...written.matchAll(/"(\w+)":/g)].map(([, name]) => name!);
    const groups = ['address', 'pool', 'keepalive'];
    expect(names.filter(name => !groups.includes(name) && !paths.has(name))).toEqual([]);
    expect(paths).toContain('dedicated');
  });

  it('have endpoints of their own where one says how, and the other turns it off', () => {
    const directory = new SharedEndpoints();
    const off = [{}, { circuitBreaker: false }, { health: false }, { retryBudget: false }];
    const endpoints = off.map(options => directory.claim(resolved(options), user('any')).endpoint);
    expect(new Set(endpoints).size).toBe(4);
  });

  it('have endpoints of their own with `pool.dedicated`, each', async () => {
    const directory = new SharedEndpoints();
    const dedicated = resolved({ pool: { dedicated: true } });
    const [one, other] = claims(directory, 2, dedicated) as [EndpointClaim, EndpointClaim];
    expect(one.endpoint).not.toBe(other.endpoint);
    await one.release(0);
    expect(other.endpoint.pool.state).toBe('idle');
    expect(directory.stats()).toMatchObject([{ clients: ['c1'] }]);
  });
});

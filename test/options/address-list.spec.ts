import { describe, expect, it } from '@jest/globals';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import { faultsOf } from './expect-faults.js';

const resolve = (address: unknown) => resolveClientOptions('read', { address });

describe('the address option', () => {
  it('takes one address or several, in order', () => {
    expect(resolve('a:1').endpoint.addresses).toEqual([{ host: 'a', port: 1 }]);
    expect(resolve(['b:2', 'a:1']).endpoint.addresses).toEqual([
      { host: 'b', port: 2 },
      { host: 'a', port: 1 },
    ]);
  });

  it('lets an address without scheme, user and database go with the others', () => {
    const { endpoint, credentials, database } = resolve(['a', 'https://u:p@b/db']);
    expect(endpoint.tls).toEqual({ rejectUnauthorized: true });
    expect(endpoint.addresses).toEqual([
      { host: 'a', port: 19530 },
      { host: 'b', port: 443 },
    ]);
    expect(credentials).toEqual({ username: 'u', password: 'p' });
    expect(database).toBe('db');
  });

  it.each([
    [undefined, 'address: is missing: check the configuration source'],
    [['h', undefined], 'address[1]: is missing: check the configuration source'],
    [[], 'address: is an empty list'],
    ['', 'address: is empty'],
    [19530, "address: must be a string such as 'localhost:19530', but is a number"],
    [null, 'but is null'],
    [['h', {}], 'address[1]: must be a string'],
    [['h', 'x:0'], "address[1]: 'x:***' needs a port"],
    [['http://a', 'https://b'], 'address: mixes http:// and https://'],
    [['http://u:p@a', 'http://v:p@b'], 'address: has different users or passwords'],
    [['http://u:p@a', 'http://u:q@b'], 'address: has different users or passwords'],
    [['http://u:p@a', 'http://u@b'], 'address: has different users or passwords'],
    [['http://a/x', 'b', 'http://b/y'], 'address: has different databases'],
  ])('refuses %j', (address, fault) => {
    expect(faultsOf({ address })).toEqual([expect.stringContaining(fault)]);
  });

  it('agrees when several say the same', () => {
    expect(faultsOf({ address: ['http://u:p@a/x', 'http://u:p@b/x'] })).toEqual([]);
  });
});

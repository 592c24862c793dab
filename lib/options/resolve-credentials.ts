import type { AddressList } from './address-list.js';
import type { MilvusClientOptions } from './milvus-client-options.js';
import type { OptionFaults } from './option-faults.js';
import type { ResolvedClientOptions } from './resolved-options.js';

type Credentials = ResolvedClientOptions['credentials'];
type GivenCredentials = Pick<MilvusClientOptions, 'token' | 'username' | 'password' | 'credentials'>;

/**
 * Who is calling: `token`, or `username` with `password`, or whoever `credentials` says, or the user of the address URL, or
 * nobody.
 */
export function resolveCredentials(
  given: GivenCredentials,
  url: AddressList,
  faults: OptionFaults,
): Credentials {
  if (given.credentials) {
    const others = (['token', 'username', 'password'] as const).filter(name => given[name] !== undefined);
    if (others.length > 0) {
      faults.add('credentials', `stands together with ${others.join(' and ')}: give one or the other`);
    }
    return given.credentials;
  }
  if (given.token !== undefined) {
    if (given.username !== undefined || given.password !== undefined) {
      faults.add('token', 'stands together with username or password: give either the token or those two');
    }
    return { token: given.token };
  }

  const username = given.username ?? url.username;
  // The URL's password belongs to the URL's user alone.
  const password = given.password ?? (username === url.username ? url.password : undefined);
  if (username !== undefined && password !== undefined) return { username, password };

  // What is missing here may be what is broken there.
  if (!faults.none('address', 'token', 'username', 'password')) return undefined;
  if (username !== undefined) {
    faults.add(
      given.username === undefined ? 'address' : 'username',
      given.username === undefined
        ? 'has a user without a password: give password, an empty one is fine, or token if it is an API key'
        : 'stands without a password: give password, an empty one is fine',
    );
  } else if (password !== undefined) {
    faults.add(
      given.password === undefined ? 'address' : 'password',
      'has a password without a user: give username, or leave out the password',
    );
  }
  return undefined;
}

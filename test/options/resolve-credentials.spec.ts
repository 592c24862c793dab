import { describe, expect, it } from '@jest/globals';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';
import { faultOf, faultsOf } from './expect-faults.js';

const resolve = (options: Record<string, unknown>) =>
  resolveClientOptions('read', { address: 'h', ...options }).credentials;

describe('credentials', () => {
  it('are absent when none are given', () => {
    expect(resolveClientOptions('read', { address: 'h', token: undefined })).not.toHaveProperty(
      'credentials',
    );
  });

  it.each<[string, Record<string, unknown>, object]>([
    ['a token', { token: 't' }, { token: 't' }],
    ['user and password', { username: 'u', password: 'p' }, { username: 'u', password: 'p' }],
    ['an empty password', { username: 'u', password: '' }, { username: 'u', password: '' }],
    ['those of the URL', { address: 'http://u:p%40@h' }, { username: 'u', password: 'p@' }],
    ['an empty password of the URL', { address: 'http://u:@h' }, { username: 'u', password: '' }],
    ['a token rather than those of the URL', { address: 'http://u:p@h', token: 't' }, { token: 't' }],
    [
      'an explicit user rather than that of the URL',
      { address: 'http://u:p@h', username: 'v', password: 'q' },
      { username: 'v', password: 'q' },
    ],
    [
      'the password for a user of the URL',
      { address: 'http://u@h', password: 'p' },
      { username: 'u', password: 'p' },
    ],
    ['another password', { address: 'http://u:p@h', password: '' }, { username: 'u', password: '' }],
    [
      'the password of the same user',
      { address: 'http://u:p@h', username: 'u' },
      { username: 'u', password: 'p' },
    ],
  ])('are %s', (_what, options, expected) => {
    expect(resolve(options)).toEqual(expected);
  });

  it.each<[Record<string, unknown>, string]>([
    [
      { token: 'T0KEN', username: 'u', password: 'S3CRET' },
      'token: stands together with username or password',
    ],
    [{ token: 'T0KEN', username: 'u' }, 'token: stands together with username or password'],
    [{ token: 'T0KEN', password: 'S3CRET' }, 'token: stands together with username or password'],
    [{ username: 'u' }, 'username: stands without a password: give password, an empty one is fine'],
    [{ password: 'S3CRET' }, 'password: has a password without a user'],
    [{ address: 'http://u@h' }, 'address: has a user without a password'],
    [{ address: 'http://:S3CRET@h' }, 'address: has a password without a user'],
    // Otherwise v would come with the password of u.
    [{ address: 'http://u:S3CRET@h', username: 'v' }, 'username: stands without a password'],
  ])('%j is refused', (options, fault) => {
    expect(faultOf(options)).toContain(fault);
    expect(faultOf(options)).not.toMatch(/S3CRET|T0KEN/);
  });

  it('stay out of the message when something else is wrong', () => {
    const options = {
      address: 'http://root:S3CRET@h:0/a',
      username: 'root',
      password: 'S3CRET',
      databse: 'S3CRET',
    };
    expect(faultsOf(options)).toHaveLength(2);
    expect(faultsOf(options).join()).not.toContain('S3CRET');
  });
});

import { isDeepStrictEqual } from 'node:util';
import { type ParsedAddress, parseAddress } from './address.js';
import type { OptionFaults } from './option-faults.js';
import { kindOf } from './option-types.js';
import type { MilvusAddress } from './resolved-options.js';

/** The servers, and what their URLs say in common. */
export interface AddressList extends Pick<ParsedAddress, 'secure' | 'username' | 'password' | 'database'> {
  addresses: MilvusAddress[];
}

/**
 * Reads the `address` option. Addresses must agree on scheme, user and database; one that says nothing about them
 * agrees with any.
 */
export function resolveAddresses(option: unknown, faults: OptionFaults): AddressList {
  if (Array.isArray(option) && option.length === 0) {
    faults.add('address', 'is an empty list: give at least one address');
  }
  const parsed = Array.isArray(option)
    ? Array.from(option, (item, index) => parse(item, `address[${index}]`, faults))
    : [parse(option, 'address', faults)];
  const known = parsed.filter(address => address !== undefined);

  const agreed = <T>(read: (address: ParsedAddress) => T | undefined, complaint: string): T | undefined => {
    const [first, ...others] = known.map(read).filter(value => value !== undefined);
    if (others.every(value => isDeepStrictEqual(value, first))) return first;
    faults.add('address', complaint);
    return undefined;
  };
  return {
    addresses: known.map(({ host, port }) => ({ host, port })),
    secure: agreed(({ secure }) => secure, 'mixes http:// and https://: use one of them for all'),
    ...agreed(userOf, 'has different users or passwords in its URLs: give the same in all, or none'),
    database: agreed(
      ({ database }) => database,
      'has different databases in its URLs: give the same in all, or none',
    ),
  };
}

function parse(item: unknown, path: string, faults: OptionFaults): ParsedAddress | undefined {
  if (typeof item !== 'string') {
    const fault =
      item === undefined
        ? 'is missing: check the configuration source, such as the environment variable it comes from'
        : `must be a string such as 'localhost:19530', but is ${kindOf(item)}`;
    faults.add(path, fault);
    return undefined;
  }
  try {
    return parseAddress(item);
  } catch (error) {
    faults.add(path, (error as Error).message);
    return undefined;
  }
}

function userOf({ username, password }: ParsedAddress) {
  return username === undefined && password === undefined ? undefined : { username, password };
}

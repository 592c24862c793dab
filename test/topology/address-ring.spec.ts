import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AddressRing } from '../../lib/topology/address-ring.js';

const addressesOf = (hosts: string[]) => hosts.map(host => ({ host, port: 19530 }));
const hostsOf = (ring: AddressRing) => ring.round().map(({ host }) => host);

describe('an address ring', () => {
  it('begins each round one further', () => {
    const ring = new AddressRing(addressesOf(['a', 'b', 'c']));
    expect([1, 2, 3, 4].map(() => hostsOf(ring).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
  });

  it('has every address in every round, and each first equally often', () => {
    const hosts = fc.uniqueArray(fc.domain(), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(hosts, fc.nat(20), (names, skip) => {
        const ring = new AddressRing(addressesOf(names));
        for (let i = 0; i < skip; i += 1) ring.round();
        const rounds = names.map(() => hostsOf(ring));
        for (const round of rounds) expect([...round].sort()).toEqual([...names].sort());
        expect(rounds.map(([first]) => first).sort()).toEqual([...names].sort());
      }),
    );
  });

  it('leaves the list it was given alone', () => {
    const addresses = Object.freeze(addressesOf(['a', 'b']));
    const ring = new AddressRing(addresses);
    ring.round().pop();
    expect(hostsOf(ring)).toEqual(['b', 'a']);
  });
});

import type { MilvusAddress } from '../options/resolved-options.js';

/** The addresses of an endpoint, in turn: each round begins one further, so that connections spread over them. */
export class AddressRing {
  private first = 0;

  constructor(private readonly addresses: readonly MilvusAddress[]) {}

  /** Every address once, in the order in which to try them for the next connection. */
  round(): MilvusAddress[] {
    const start = this.first;
    this.first = (start + 1) % this.addresses.length;
    return [...this.addresses.slice(start), ...this.addresses.slice(0, start)];
  }
}

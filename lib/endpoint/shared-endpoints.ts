import { inspect } from 'node:util';
import { Subject } from 'rxjs';
import { describeAddress } from '../options/address.js';
import { fingerprint } from '../options/fingerprint.js';
import type { EndpointOptions } from '../options/resolved-options.js';
import type { PoolEvent } from '../telemetry/pool-events.js';
import type { EndpointStats } from '../telemetry/pool-telemetry.js';
import { type EndpointClaim, type EndpointUser, SharedEndpoint } from './shared-endpoint.js';

/** The endpoints of one application: clients whose endpoint options are all equal use the same one. */
export class SharedEndpoints {
  private readonly all = new Set<SharedEndpoint>();
  private readonly shared = new Map<string, SharedEndpoint>();

  constructor(
    /** What happens in any of them, once. */
    readonly events = new Subject<PoolEvent>(),
  ) {}

  /** Touches no network. */
  claim(options: EndpointOptions, user: EndpointUser): EndpointClaim {
    if (options.pool.dedicated) return this.open(options).claim(user);
    const key = keyOf(options);
    const endpoint = this.shared.get(key) ?? this.open(options, key);
    return endpoint.claim(user);
  }

  /** What logs show: no credentials, no private key. */
  [inspect.custom](): string {
    return `SharedEndpoints (${[...this.all].map(each => inspect(each)).join('; ')})`;
  }

  stats(): readonly EndpointStats[] {
    return Object.freeze([...this.all].map(each => each.stats()));
  }

  private open(options: EndpointOptions, key?: string): SharedEndpoint {
    const endpoint: SharedEndpoint = new SharedEndpoint(
      options,
      this.events,
      () => {
        if (key !== undefined && this.shared.get(key) === endpoint) this.shared.delete(key);
      },
      () => this.all.delete(endpoint),
    );
    this.all.add(endpoint);
    if (key !== undefined) this.shared.set(key, endpoint);
    return endpoint;
  }
}

/**
 * The same for options that are all equal: resolved ones have their keys in one order. Addresses are taken in turn, so that their
 * order is none.
 */
function keyOf({ addresses, tls, ...options }: EndpointOptions): string {
  return JSON.stringify([addresses.map(describeAddress).sort(), tls && fingerprint(tls), options]);
}

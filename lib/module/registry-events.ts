import type { PoolEvent } from '../telemetry/pool-events.js';

/** What happens in the clients of an application; frozen. */
export type MilvusRegistryEvent =
  | PoolEvent
  | { readonly type: 'client-added' | 'client-removed'; readonly client: string };

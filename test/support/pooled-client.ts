import { inspect } from 'node:util';
import './quiet-nest.js';
import { PooledMilvusClient } from '../../lib/client/pooled-milvus-client.js';
import type { MilvusClientOptions } from '../../lib/options/milvus-client-options.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';

interface TestClientOptions extends Partial<MilvusClientOptions> {
  name?: string;
}

const clients: PooledMilvusClient[] = [];

/**
 * Upper bound, in ms, for what must be over soon: a machine that stalls for seconds keeps it, and whoever waits for a
 * default limit (5 s and more) does not.
 */
export const SOON_MS = 4_500;

/** A client as the module makes one. `closeClients()` ends it. */
export function pooledClient(
  address: string | string[],
  { name = 'default', ...options }: TestClientOptions = {},
): PooledMilvusClient {
  // What one call of a test provokes is not to befall the next.
  const given = { address, circuitBreaker: false as const, ...options };
  const client = new PooledMilvusClient(resolveClientOptions(name, given));
  clients.push(client);
  return client;
}

/** Opens the connections that the client keeps, so that limits which a test makes short do not bound that. */
export async function connected(client: PooledMilvusClient): Promise<void> {
  const { min } = client.pool.stats().connections;
  client.connect();
  await eventually(() => client.pool.stats().connections.size === min);
}

/** Ends every client made so far, whatever it is doing. */
export async function closeClients(): Promise<void> {
  await Promise.all(clients.splice(0).map(client => client.drain({ timeoutMs: 0 })));
}

/** What the promise rejects with; fails when it resolves. */
export async function failureOf<E extends Error = Error & { [key: string]: unknown }>(
  promise: Promise<unknown>,
): Promise<E> {
  const outcome = await promise.then(
    value => ({ value }),
    (error: E) => ({ error }),
  );
  if ('error' in outcome) return outcome.error;
  throw new Error(`expected a rejection, got ${inspect(outcome.value, { depth: -1 })}`);
}

/** Milliseconds until the promise settles. */
export async function durationOf(promise: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await promise.catch(() => {});
  return performance.now() - startedAt;
}

/** A promise, and what resolves it. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {};
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { opened, open };
}

export function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}

/** Waits for a state that nobody announces. */
export async function eventually(holds: () => boolean, timeoutMs = 20_000): Promise<void> {
  const limit = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > limit) throw new Error(`not reached within ${timeoutMs} ms: ${holds}`);
    await pause(5);
  }
}

/** Calls until one succeeds: where a test's limits are so short that a machine which stalls lets some fail. */
export async function eventuallyResolves<T>(call: () => Promise<T>, timeoutMs = 20_000): Promise<T> {
  const limit = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (performance.now() > limit) throw error;
      await pause(5);
    }
  }
}

/** Starts calls; one that fails before somebody waits for it counts when somebody does. */
export function times<T>(count: number, make: (index: number) => Promise<T>): Promise<T>[] {
  return Array.from({ length: count }, (_, index) => quietly(make(index)));
}

export function quietly<T>(call: Promise<T>): Promise<T> {
  call.catch(() => {});
  return call;
}

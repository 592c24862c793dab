import { setTimeout as sleep } from 'node:timers/promises';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { PooledMilvusClient } from '../lib/client/pooled-milvus-client.js';
import type { MilvusPoolOptions } from '../lib/options/milvus-client-options.js';
import { resolveClientOptions } from '../lib/options/resolve-options.js';

export interface Contender {
  name: string;
  open(address: string): Promise<MilvusClient>;
}

export function sdk(name: string, pool?: { min: number; max: number }): Contender {
  return {
    name,
    async open(address) {
      const client = new MilvusClient({ address, logLevel: 'error', ...(pool && { pool }) });
      await client.connectPromise;
      return client;
    },
  };
}

export function ours(name: string, pool: MilvusPoolOptions = {}): Contender {
  return { name, open: address => openPooled(address, pool) };
}

/** With all of `minConnections` open. */
export async function openPooled(address: string, pool: MilvusPoolOptions): Promise<PooledMilvusClient> {
  const client = new PooledMilvusClient(
    resolveClientOptions('bench', { address, pool, timeouts: { readMs: 60_000 } }),
  );
  client.connect();
  for (let all = false; !all; ) {
    await sleep(5);
    const { connections } = client.pool.stats();
    all = connections.size >= connections.min;
  }
  return client;
}

// #region pool
import type { PooledMilvusClient } from 'nestjs-milvus';

/** Megabytes on a connection of their own: no search waits behind them. */
export async function load(
  milvus: PooledMilvusClient,
  batches: Array<Array<{ id: number; vector: number[] }>>,
) {
  await milvus.pool.withConnection(async client => {
    for (const data of batches) await client.insert({ collection_name: 'documents', data });
  });
}

/** Tells somebody of leases that were forgotten, and of connections that Milvus or the network took away. */
export function watch(milvus: PooledMilvusClient, tell: (what: string) => void) {
  return milvus.pool.events$.subscribe(event => {
    if (event.type === 'lease-leaked') tell(`held for ${event.lease.ageMs} ms:\n${event.lease.stack}`);
    if (event.type === 'connection-closed' && event.reason === 'failed') tell(event.detail);
  });
}

/** For a dashboard. */
export function figures(milvus: PooledMilvusClient) {
  const { connections, inFlight, pending, acquireTimeouts, waitMs, useMs } = milvus.pool.stats();
  return { size: connections.size, inFlight, pending, acquireTimeouts, wait: waitMs.p99, use: useMs.p99 };
}
// #endregion

// #region retries
import { ConsistencyLevelEnum } from '@zilliz/milvus2-sdk-node';
import { MilvusError, type PooledMilvusClient } from 'nestjs-milvus';

interface Row {
  id: number;
  vector: number[];
}

/** Rows with keys of their own are the same after a second upsert: it may be repeated. */
export function put(milvus: PooledMilvusClient, data: Row[]) {
  return milvus.with({ idempotent: true }).upsert({ collection_name: 'documents', data });
}

/** Milvus would store the same rows twice, so nobody repeats this: look first. */
export async function append(milvus: PooledMilvusClient, data: Row[]): Promise<void> {
  try {
    await milvus.insert({ collection_name: 'documents', data });
  } catch (error) {
    if (!(error instanceof MilvusError && error.outcomeUnknown)) throw error;
    const stored = await milvus.query({
      collection_name: 'documents',
      filter: `id in [${data.map(({ id }) => id)}]`,
      output_fields: ['id'],
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    const there = new Set(stored.data.map(({ id }) => Number(id)));
    const missing = data.filter(({ id }) => !there.has(id));
    if (missing.length > 0) await append(milvus, missing);
  }
}

/** Several calls within two seconds altogether; from the begin again when Milvus was away meanwhile. */
export function replaceAll(milvus: PooledMilvusClient, filter: string, data: Row[]): Promise<number> {
  return milvus.execute(
    async client => {
      await client.delete({ collection_name: 'documents', filter });
      const { upsert_cnt } = await client.upsert({ collection_name: 'documents', data });
      return Number(upsert_cnt);
    },
    { timeoutMs: 2_000, idempotent: true },
  );
}
// #endregion

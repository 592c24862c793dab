// #region retries
import { MilvusError, type PooledMilvusClient } from 'nestjs-milvus';

type Row = { id: number; vector: number[] };

/** Rows with keys of their own are the same after a second upsert: it may be repeated. */
export function put(milvus: PooledMilvusClient, data: Row[]) {
  return milvus.with({ idempotent: true }).upsert({ collection_name: 'documents', data });
}

/** The same rows inserted twice are there twice, so nobody repeats this. */
export async function append(milvus: PooledMilvusClient, data: Row[], look: (rows: Row[]) => void) {
  try {
    await milvus.insert({ collection_name: 'documents', data });
  } catch (error) {
    if (!(error instanceof MilvusError && error.outcomeUnknown)) throw error;
    look(data); // later, when Milvus has had time to finish it: some or all of them may be there
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

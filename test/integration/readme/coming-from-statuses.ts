// #region coming-from-statuses
import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { PooledMilvusClient } from 'nestjs-milvus';

/** As it was: looks at the status. */
async function countRows(client: MilvusClient, collection_name: string): Promise<number | undefined> {
  const { status, data } = await client.getCollectionStatistics({ collection_name });
  return status.error_code === 'Success' ? Number(data.row_count) : undefined;
}

export function rowsOf(milvus: PooledMilvusClient, collection_name: string): Promise<number | undefined> {
  return countRows(milvus.with({ errors: 'status' }), collection_name);
}
// #endregion

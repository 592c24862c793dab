// #region calls
import type { PooledMilvusClient } from 'nestjs-milvus';

/** For one tenant, within half a second, and no longer than its user waits. */
export async function similar(
  milvus: PooledMilvusClient,
  tenant: string,
  vector: number[],
  signal: AbortSignal,
) {
  const { results } = await milvus.with({ database: tenant, timeoutMs: 500, signal }).search({
    collection_name: 'documents',
    data: vector,
    metric_type: 'COSINE',
    output_fields: ['title'],
  });
  return results;
}

/** Page by page: each is a call of its own. */
export async function idsOf(milvus: PooledMilvusClient): Promise<string[]> {
  const ids: string[] = [];
  const pages = await milvus.queryIterator({
    collection_name: 'documents',
    filter: 'id > 0',
    output_fields: ['id'],
    batchSize: 1_000,
  });
  for await (const page of pages) ids.push(...page.map(({ id }: { id: string }) => id));
  return ids;
}
// #endregion

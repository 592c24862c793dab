// #region fallback
import { MilvusUnavailableError, type PooledMilvusClient } from 'nestjs-milvus';

export async function titles(milvus: PooledMilvusClient, vector: number[]): Promise<string[]> {
  try {
    const { results } = await milvus.search({
      collection_name: 'documents',
      data: vector,
      metric_type: 'COSINE',
      output_fields: ['title'],
      timeout: 500, // ms, for the whole call; `timeouts.readMs` is longer
    });
    return results.map(({ title }) => title);
  } catch (error) {
    if (error instanceof MilvusUnavailableError) return []; // Milvus is away: the page works without
    throw error;
  }
}
// #endregion

// #region coming-from-codes
import { MilvusRateLimitError, MilvusServerError, type PooledMilvusClient } from 'nestjs-milvus';

export async function fieldsOf(
  milvus: PooledMilvusClient,
  collection_name: string,
): Promise<string[] | undefined> {
  try {
    const { schema } = await milvus.describeCollection({ collection_name });
    return schema.fields.map(({ name }) => name);
  } catch (error) {
    if (error instanceof MilvusServerError && error.errorCode === 100) return undefined; // CollectionNotFound
    if (error instanceof MilvusRateLimitError) console.warn(`slow down: ${error.reason}`); // 8
    throw error;
  }
}
// #endregion

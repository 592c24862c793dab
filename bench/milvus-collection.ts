import { setTimeout as sleep } from 'node:timers/promises';
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';

export const DIMENSIONS = 768;
const COLLECTION = 'bench';
const ROWS_PER_INSERT = 500;

/** Ids only: an answer with vectors takes Milvus 2.3.5 a second query. */
export const searchRequest = {
  collection_name: COLLECTION,
  data: vector(0),
  limit: 10,
  metric_type: 'COSINE',
  output_fields: ['id'],
};

/** Makes what `searchRequest` searches: vectors in an HNSW index, loaded. */
export async function createCollection(address: string, rows: number): Promise<void> {
  const client = new MilvusClient({ address, logLevel: 'error' });
  const collection_name = COLLECTION;
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true },
      { name: 'vector', data_type: DataType.FloatVector, dim: DIMENSIONS },
    ],
  });
  for (let id = 1; id <= rows; id += ROWS_PER_INSERT) {
    const ids = Array.from({ length: Math.min(ROWS_PER_INSERT, rows + 1 - id) }, (_, i) => id + i);
    await client.insert({ collection_name, data: ids.map(each => ({ id: each, vector: vector(each) })) });
  }
  await client.flushSync({ collection_names: [collection_name] });
  await client.createIndex({
    collection_name,
    field_name: 'vector',
    index_type: 'HNSW',
    metric_type: searchRequest.metric_type,
    params: { M: 16, efConstruction: 100 },
  });
  const indexState = async () => {
    const { index_descriptions } = await client.describeIndex({ collection_name });
    return index_descriptions[0]?.state as string | undefined;
  };
  while ((await indexState()) !== 'Finished') await sleep(100);
  await client.loadCollectionSync({ collection_name });
  await client.closeConnection();
}

/** The same for each seed, alike for none. */
function vector(seed: number): number[] {
  return Array.from({ length: DIMENSIONS }, (_, i) => Math.sin((seed + 1) * (i + 1) * 12.9898));
}

import { DataType, FunctionType, type MilvusClient, RRFRanker } from '@zilliz/milvus2-sdk-node';

/** One thing to ask both clients. */
export interface Question {
  name: string;
  ask(client: MilvusClient): Promise<unknown>;
}

const collection_name = 'parity';
const vector = (seed: number, dimension = 8) =>
  Array.from({ length: dimension }, (_, i) => Math.sin(seed * (i + 1)));
const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({
    id: from + i,
    vector: vector(from + i),
    title: `row ${from + i}`,
    price: (from + i) / 4,
    tags: { color: (from + i) % 2 ? 'red' : 'blue', size: from + i },
  }));

const index_params = {
  field_name: 'vector',
  index_name: 'vector_index',
  index_type: 'HNSW',
  metric_type: 'COSINE',
  params: { M: 8, efConstruction: 64 },
};

const search = {
  collection_name,
  data: vector(3),
  anns_field: 'vector',
  metric_type: 'COSINE',
  params: { ef: 64 },
};

/** The life of a collection, as an application lives it: in this order, each depends on those before. */
export const collectionQuestions: Question[] = [
  { name: 'hasCollection, none', ask: c => c.hasCollection({ collection_name }) },
  {
    name: 'createCollection',
    ask: c =>
      c.createCollection({
        collection_name,
        fields: [
          { name: 'id', data_type: DataType.Int64, is_primary_key: true },
          { name: 'vector', data_type: DataType.FloatVector, dim: 8 },
          { name: 'title', data_type: DataType.VarChar, max_length: 128 },
          { name: 'price', data_type: DataType.Double },
          { name: 'tags', data_type: DataType.JSON },
        ],
        enable_dynamic_field: true,
        consistency_level: 'Strong',
      }),
  },
  {
    name: 'createCollection, again',
    ask: c =>
      c.createCollection({
        collection_name,
        dimension: 4,
        index_params: { index_type: 'AUTOINDEX', metric_type: 'COSINE' },
      }),
  },
  { name: 'hasCollection', ask: c => c.hasCollection({ collection_name }) },
  { name: 'describeCollection', ask: c => c.describeCollection({ collection_name }) },
  { name: 'showCollections', ask: c => c.showCollections() },
  { name: 'createIndex', ask: c => c.createIndex({ collection_name, ...index_params }) },
  { name: 'describeIndex', ask: c => c.describeIndex({ collection_name }) },
  { name: 'insert', ask: c => c.insert({ collection_name, data: rows(1, 40) }) },
  {
    name: 'insert, dynamic field',
    ask: c => c.insert({ collection_name, data: [{ ...rows(100, 1)[0], extra: 'more' }] }),
  },
  { name: 'flushSync', ask: c => c.flushSync({ collection_names: [collection_name] }) },
  { name: 'loadCollection', ask: c => c.loadCollection({ collection_name }) },
  { name: 'getLoadState', ask: c => c.getLoadState({ collection_name }) },
  { name: 'getCollectionStatistics', ask: c => c.getCollectionStatistics({ collection_name }) },
  { name: 'search', ask: c => c.search({ ...search, limit: 5, output_fields: ['title', 'price', 'tags'] }) },
  {
    name: 'search, several vectors',
    ask: c => c.search({ ...search, data: [vector(1), vector(7)], limit: 3 }),
  },
  {
    name: 'search, filter',
    ask: c => c.search({ ...search, filter: 'price > 3', limit: 5, output_fields: ['id'] }),
  },
  { name: 'search, vectors back', ask: c => c.search({ ...search, limit: 2, output_fields: ['*'] }) },
  { name: 'query', ask: c => c.query({ collection_name, filter: 'id in [1, 2, 3]', output_fields: ['*'] }) },
  {
    name: 'query, JSON field',
    ask: c => c.query({ collection_name, filter: 'tags["size"] < 4', output_fields: ['tags'] }),
  },
  { name: 'get', ask: c => c.get({ collection_name, ids: [5, 6], output_fields: ['title'] }) },
  { name: 'count', ask: c => c.count({ collection_name }) },
  {
    name: 'upsert',
    ask: c => c.upsert({ collection_name, data: [{ ...rows(5, 1)[0], title: 'changed' }] as never }),
  },
  {
    name: 'query, upserted',
    ask: c => c.query({ collection_name, filter: 'id == 5', output_fields: ['title'] }),
  },
  { name: 'delete by ids', ask: c => c.delete({ collection_name, ids: [1, 2] }) },
  { name: 'delete by filter', ask: c => c.delete({ collection_name, filter: 'id in [3]' }) },
  {
    name: 'query, deleted',
    ask: c => c.query({ collection_name, filter: 'id in [1, 2, 3, 4]', output_fields: ['id'] }),
  },
  { name: 'createPartition', ask: c => c.createPartition({ collection_name, partition_name: 'part' }) },
  { name: 'listPartitions', ask: c => c.listPartitions({ collection_name }) },
  { name: 'hasPartition', ask: c => c.hasPartition({ collection_name, partition_name: 'none' }) },
  { name: 'createAlias', ask: c => c.createAlias({ collection_name, alias: 'parity_alias' }) },
  { name: 'describeAlias', ask: c => c.describeAlias({ collection_name, alias: 'parity_alias' } as never) },
  { name: 'dropAlias', ask: c => c.dropAlias({ alias: 'parity_alias' }) },
  { name: 'releaseCollection', ask: c => c.releaseCollection({ collection_name }) },
  { name: 'dropIndex', ask: c => c.dropIndex({ collection_name, index_name: 'vector_index' }) },
  { name: 'search, not loaded', ask: c => c.search({ ...search, limit: 5 }) },
  { name: 'insert, missing field', ask: c => c.insert({ collection_name, data: [{ id: 1 }] }) },
  {
    name: 'insert, missing collection',
    ask: c => c.insert({ collection_name: 'nowhere', data: [{ id: 1 }] }),
  },
  {
    name: 'query, bad filter',
    ask: c => c.query({ collection_name, filter: 'nonsense ===', output_fields: ['id'] }),
  },
  { name: 'describeCollection, none', ask: c => c.describeCollection({ collection_name: 'nowhere' }) },
  { name: 'dropCollection', ask: c => c.dropCollection({ collection_name }) },
  { name: 'checkHealth', ask: c => c.checkHealth() },
  { name: 'getVersion', ask: c => c.getVersion() },
];

const hybrid = 'parity_hybrid';

/** BM25 and hybrid search: not in Milvus 2.3. */
export const hybridQuestions: Question[] = [
  {
    name: 'createCollection with a function',
    ask: c =>
      c.createCollection({
        collection_name: hybrid,
        fields: [
          { name: 'id', data_type: DataType.Int64, is_primary_key: true },
          { name: 'text', data_type: DataType.VarChar, max_length: 512, enable_analyzer: true },
          { name: 'sparse', data_type: DataType.SparseFloatVector },
          { name: 'dense', data_type: DataType.FloatVector, dim: 4 },
        ],
        functions: [
          {
            name: 'bm25',
            type: FunctionType.BM25,
            input_field_names: ['text'],
            output_field_names: ['sparse'],
            params: {},
          },
        ],
        index_params: [
          { field_name: 'sparse', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25' },
          { field_name: 'dense', index_type: 'AUTOINDEX', metric_type: 'COSINE' },
        ],
      }),
  },
  {
    name: 'insert text',
    ask: c =>
      c.insert({
        collection_name: hybrid,
        data: ['a pool of connections', 'a vector database', 'connections to a database'].map((text, id) => ({
          id,
          text,
          dense: vector(id + 1, 4),
        })),
      }),
  },
  {
    name: 'search by text',
    ask: c =>
      c.search({
        collection_name: hybrid,
        data: 'database connections',
        anns_field: 'sparse',
        metric_type: 'BM25',
        limit: 3,
        output_fields: ['text'],
      }),
  },
  {
    name: 'hybridSearch',
    ask: c =>
      c.hybridSearch({
        collection_name: hybrid,
        data: [
          { anns_field: 'sparse', data: 'database connections', params: { metric_type: 'BM25' } },
          { anns_field: 'dense', data: vector(2, 4), params: { metric_type: 'COSINE' } },
        ],
        rerank: RRFRanker(),
        limit: 3,
        output_fields: ['text'],
      } as never),
  },
  { name: 'dropCollection', ask: c => c.dropCollection({ collection_name: hybrid }) },
];

/** The answers to all questions, in order; a rejection is an answer too. */
export async function answersOf(
  client: MilvusClient,
  questions: Question[],
): Promise<Record<string, unknown>> {
  const answers: Record<string, unknown> = {};
  for (const { name, ask } of questions) {
    answers[name] = await ask(client).then(
      resolved => ({ resolved: withoutVolatile(resolved) }),
      rejected => ({
        rejected: withoutVolatile(rejected instanceof Error ? { message: rejected.message } : rejected),
      }),
    );
  }
  return answers;
}

/** Ids and clock readings, which the server gives anew to each run, are its only numbers of this length; channels go in turn. */
function withoutVolatile(value: unknown): unknown {
  if (typeof value === 'string') return value.replaceAll(/\d{12,}|(?<=dml_)\d+/g, '#');
  if (typeof value === 'number') return value > 1e11 ? '#' : value;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(withoutVolatile);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withoutVolatile(each)]));
}

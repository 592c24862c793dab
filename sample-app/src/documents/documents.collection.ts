import { type CreateCollectionReq, DataType, FunctionType } from '@zilliz/milvus2-sdk-node';
import type { PooledMilvusClient } from 'nestjs-milvus';
import { EMBEDDING_DIMENSION } from '../embedding/embedding.service.js';

export const DOCUMENTS = 'nestjs_milvus_sample';

/** Milvus's `english`, spelled out: Milvus Lite does not know the name, and takes of it what it can. */
const englishAnalyzer = {
  tokenizer: 'standard',
  filter: [
    'lowercase',
    { type: 'stemmer', language: 'english' },
    { type: 'stop', stop_words: ['_english_'] },
  ],
};

const collection = {
  collection_name: DOCUMENTS,
  fields: [
    { name: 'id', data_type: DataType.VarChar, max_length: 32, is_primary_key: true },
    { name: 'package', data_type: DataType.VarChar, max_length: 256 },
    { name: 'file', data_type: DataType.VarChar, max_length: 1024 },
    {
      name: 'text',
      data_type: DataType.VarChar,
      max_length: 8192,
      enable_analyzer: true,
      analyzer_params: englishAnalyzer,
    },
    { name: 'dense', data_type: DataType.FloatVector, dim: EMBEDDING_DIMENSION },
    { name: 'sparse', data_type: DataType.SparseFloatVector },
  ],
  // Milvus itself fills `sparse` from `text`, on insert and on search.
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
    { field_name: 'dense', index_type: 'AUTOINDEX', metric_type: 'COSINE' },
    { field_name: 'sparse', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25' },
  ],
  // A search that follows an ingest has to find what it stored; the default, Bounded, may lag by seconds.
  consistency_level: 'Strong',
} satisfies CreateCollectionReq & Record<string, unknown>;

/** Creates the collection with its indexes unless it exists, and loads it: what is not loaded cannot be searched. */
export async function prepareDocuments(milvus: PooledMilvusClient): Promise<void> {
  const { value } = await milvus.hasCollection({ collection_name: DOCUMENTS });
  // createCollection changes the request it is given.
  if (!value) await milvus.createCollection(structuredClone(collection));
  await milvus.loadCollection({ collection_name: DOCUMENTS });
}

import type { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';

/** A column of RPC-CATALOGUE.md; `declared`: sent once by nature, but its caller said `idempotent: true`. */
export type Column = 'read' | 'repeatable' | 'once' | 'declared';

/** A public method, and the one RPC of it that is made to fail. */
export interface Subject {
  name: string;
  rpc: string;
  column: Column;
  call(client: PooledMilvusClient): Promise<unknown>;
}

const collection_name = 'c';
const rows = { collection_name, data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const declared = (client: PooledMilvusClient) => client.with({ idempotent: true });

export const subjects: readonly Subject[] = [
  {
    name: 'getLoadState',
    rpc: 'GetLoadState',
    column: 'read',
    call: client => client.getLoadState({ collection_name }),
  },
  {
    name: 'search',
    rpc: 'Search',
    column: 'read',
    call: client => client.search({ collection_name, data: [1, 2, 3, 4], metric_type: 'L2' }),
  },
  {
    name: 'createIndex',
    rpc: 'CreateIndex',
    column: 'repeatable',
    call: client => client.createIndex({ collection_name, field_name: 'vector', index_type: 'FLAT' }),
  },
  {
    name: 'loadCollectionAsync',
    rpc: 'LoadCollection',
    column: 'repeatable',
    call: client => client.loadCollectionAsync({ collection_name }),
  },
  {
    name: 'createDatabase',
    rpc: 'CreateDatabase',
    column: 'repeatable',
    call: client => client.createDatabase({ db_name: 'd' }),
  },
  {
    name: 'createResourceGroup',
    rpc: 'CreateResourceGroup',
    column: 'repeatable',
    call: client => client.createResourceGroup({ resource_group: 'g' }),
  },
  { name: 'insert', rpc: 'Insert', column: 'once', call: client => client.insert(rows) },
  { name: 'upsert', rpc: 'Upsert', column: 'once', call: client => client.upsert(rows) },
  {
    name: 'delete',
    rpc: 'Delete',
    column: 'once',
    call: client => client.delete({ collection_name, ids: [1] }),
  },
  {
    name: 'dropCollection',
    rpc: 'DropCollection',
    column: 'once',
    call: client => client.dropCollection({ collection_name }),
  },
  {
    name: 'insert, idempotent',
    rpc: 'Insert',
    column: 'declared',
    call: client => declared(client).insert(rows),
  },
  {
    name: 'dropCollection, idempotent',
    rpc: 'DropCollection',
    column: 'declared',
    call: client => declared(client).dropCollection({ collection_name }),
  },
];

const few = [
  'getLoadState',
  'search',
  'createIndex',
  'createDatabase',
  'insert',
  'dropCollection',
  'insert, idempotent',
];

/** One or two of each column, where there are many rows or where a row costs connections. */
export const fewSubjects = subjects.filter(({ name }) => few.includes(name));

import { DataType, FunctionType, RRFRanker } from '@zilliz/milvus2-sdk-node';
import { failure, type Message } from '../stub-answers.js';
import { failedAnswer } from './answers.js';

/** One way to call a method so that it comes to its end. */
export interface Variant {
  /** What is special about it, for a method with several. */
  label: string;
  /** Made anew for each call: the SDK writes into what it is given. */
  args(): unknown[];
  /** What the stub answers here instead of its usual good answer. */
  answers?: Record<string, Message>;
  /** An SDK without this RPC does not know this form. */
  rpc?: string;
}

const collection_name = 'things';
const vector = () => [0.1, 0.2, 0.3, 0.4];
const rows = () => [1, 2].map(id => ({ id, vector: vector() }));
const price = () => ({ name: 'price', data_type: DataType.Double, nullable: true });
const sparse = () => ({ name: 'sparse', data_type: DataType.SparseFloatVector });
const bm25 = () => ({
  name: 'bm25',
  type: FunctionType.BM25,
  input_field_names: ['text'],
  output_field_names: ['sparse'],
  params: {},
});
const fields = () => [
  { name: 'id', data_type: DataType.Int64, is_primary_key: true },
  { name: 'vector', data_type: DataType.FloatVector, dim: 4 },
];
const index = (index_type: string) => ({ field_name: 'vector', index_type, metric_type: 'L2' });
const subSearch = () => ({ anns_field: 'vector', data: vector(), params: { metric_type: 'L2' } });

/** What most methods look for, each under its own name. */
const generous = (): Message => ({
  collection_name,
  collectionName: collection_name,
  collection_names: [collection_name],
  new_collection_name: 'renamed',
  collectionID: 1,
  partition_name: 'part',
  partition_names: ['part'],
  alias: 'other',
  field_name: 'vector',
  index_name: 'by_vector',
  function_name: 'bm25',
  files: ['rows.json'],
  task: 1,
  compactionID: 1,
  segmentIDs: [1],
  src_nodeID: 1,
  flush_all_ts: 5,
  filter: 'id > 0',
  username: 'joe',
  password: 'secret',
  oldPassword: 'secret',
  newPassword: 'secret2',
  roleName: 'reader',
  object: 'Collection',
  objectName: collection_name,
  privilegeName: 'Query',
  group_name: 'readers',
  privileges: ['Query'],
  role: 'reader',
  privilege: 'Query',
  resource_group: 'spare',
  source_resource_group: 'spare',
  target_resource_group: '__default_resource_group',
  snapshot_name: 'monday',
  source_collection_name: collection_name,
  target_collection_name: 'restored',
  job_id: 1,
  pin_id: 1,
  name: 'stopwords',
  path: 'stopwords.txt',
});

const generousMethods = `
  addFileResource addPrivilegesToGroup addUserToRole alterAlias alterRole backupRBAC batchDescribeCollections
  bulkInsert checkHealth compact count createAlias createPartition createPrivilegeGroup createResourceGroup createRole
  createSnapshot createUser deleteEntities deleteUser describeAlias describeCollection describeIndex
  describeResourceGroup describeRole describeSnapshot describeUser dropAlias dropAllResourceGroups dropAllRoles
  dropCollection dropCollectionFunction dropFunctionField dropIndex dropPartition dropPrivilegeGroup dropResourceGroup
  dropRole dropSnapshot flush flushAll flushAllSync flushSync getCollectionStatistics getCompactionState
  getCompactionStateWithPlans getFlushAllState getFlushState getImportState getIndexBuildProgress getIndexState
  getIndexStatistics getLoadingProgress getLoadState getPartitionStatistics getPersistentSegmentInfo getPkField
  getPkFieldName getPkFieldType getQuerySegmentInfo getRefreshExternalCollectionProgress getReplicas
  getReplicateConfiguration getRestoreSnapshotState getVersion grantPrivilege grantPrivilegeV2 hasCollection
  hasPartition hasRole listAliases listDatabases listFileResources listGrants listImportTasks listIndexes
  listPartitions listPrivilegeGroups listRefreshExternalCollectionJobs listResourceGroups listRestoreSnapshotJobs
  listRoles listSnapshots listUsers loadBalance loadCollection loadCollectionAsync loadPartitions loadPartitionsSync
  pinSnapshotData refreshExternalCollection refreshLoad releaseCollection releasePartitions removeFileResource
  removePrivilegesFromGroup removeUserFromRole renameCollection restoreSnapshot revokePrivilege revokePrivilegeV2
  selectGrant showCollections transferNode transferReplica truncateCollection unpinSnapshotData updateUser
`
  .trim()
  .split(/\s+/);

const only = (request: () => Message): Variant[] => [{ label: '', args: () => [request()] }];

const variants: Record<string, Variant[]> = {
  ...Object.fromEntries(generousMethods.map(name => [name, only(generous)])),
  addCollectionField: [
    { label: '', args: () => [{ collection_name, field: price() }] },
    {
      label: 'of structs',
      rpc: 'AddCollectionStructField',
      args: () => [
        {
          collection_name,
          field: {
            name: 'parts',
            data_type: DataType.Array,
            element_type: DataType.Struct,
            nullable: true,
            max_capacity: 4,
            fields: [{ name: 'size', data_type: DataType.Int64 }],
          },
        },
      ],
    },
  ],
  addCollectionFields: only(() => ({ collection_name, fields: [price(), { ...price(), name: 'weight' }] })),
  addCollectionFunction: only(() => ({ collection_name, function: bm25() })),
  addFunctionField: only(() => ({
    collection_name,
    field: sparse(),
    function: bm25(),
    extra_params: { index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25' },
  })),
  alterCollectionFieldProperties: only(() => ({
    collection_name,
    field_name: 'text',
    properties: { max_length: 64 },
  })),
  alterCollectionFunction: only(() => ({ collection_name, function_name: 'bm25', function: bm25() })),
  alterCollectionProperties: only(() => ({ collection_name, properties: { 'mmap.enabled': true } })),
  alterCollectionSchema: only(() => ({ collection_name, field: sparse(), function: bm25() })),
  alterDatabase: only(() => ({ db_name: 'shop', properties: { 'database.replica.number': 1 } })),
  alterIndexProperties: only(() => ({
    collection_name,
    index_name: 'by_vector',
    params: { 'mmap.enabled': true },
  })),
  // Private in the SDK's types, and callable all the same.
  callAlterCollectionSchema: [
    { label: '', args: () => [{ collection_name }, { drop_request: { field_name: 'price' } }] },
  ],
  createCollection: [
    { label: 'with fields', args: () => [{ collection_name, fields: fields() }] },
    {
      label: 'with fields and index',
      args: () => [{ collection_name, fields: fields(), index_params: [index('HNSW')] }],
    },
    {
      label: 'simple, new',
      args: () => [{ collection_name, dimension: 4 }],
      answers: {
        DescribeCollection: failedAnswer('DescribeCollection', failure(100, 'CollectionNotExists')),
      },
    },
    { label: 'simple, exists', args: () => [{ collection_name, dimension: 4 }] },
    {
      label: 'simple, exists without index',
      args: () => [{ collection_name, dimension: 4 }],
      answers: { DescribeIndex: failedAnswer('DescribeIndex', failure(700, 'IndexNotExist')) },
    },
  ],
  createDatabase: only(() => ({ db_name: 'shop' })),
  createIndex: [
    { label: '', args: () => [{ collection_name, ...index('HNSW') }] },
    { label: 'several', args: () => [['HNSW', 'FLAT'].map(type => ({ collection_name, ...index(type) }))] },
  ],
  delete: [
    { label: 'by filter', args: () => [{ collection_name, filter: 'id > 0' }] },
    { label: 'by ids', args: () => [{ collection_name, ids: [1, 2] }] },
  ],
  describeDatabase: only(() => ({ db_name: 'shop' })),
  dropCollectionField: only(() => ({ collection_name, field_name: 'price' })),
  dropCollectionProperties: only(() => ({ collection_name, properties: ['mmap.enabled'] })),
  dropDatabase: only(() => ({ db_name: 'shop' })),
  dropDatabaseProperties: only(() => ({ db_name: 'shop', properties: ['database.replica.number'] })),
  dropIndexProperties: only(() => ({
    collection_name,
    index_name: 'by_vector',
    properties: ['mmap.enabled'],
  })),
  get: only(() => ({ collection_name, ids: [1, 2] })),
  getMetric: only(() => ({ request: { metric_type: 'system_info' } })),
  hybridSearch: only(() => ({
    collection_name,
    data: [subSearch(), subSearch()],
    rerank: RRFRanker(),
    limit: 1,
  })),
  insert: only(() => ({ collection_name, data: rows() })),
  query: [
    { label: 'by filter', args: () => [{ collection_name, filter: 'id > 0', limit: 2 }] },
    { label: 'by ids', args: () => [{ collection_name, ids: [1, 2] }] },
  ],
  queryIterator: only(() => ({ collection_name, filter: 'id > 0', batchSize: 2 })),
  restoreRBAC: only(() => ({ RBAC_meta: { users: [{ user: 'joe', password: 'secret' }] } })),
  runAnalyzer: only(() => ({ analyzer_params: { type: 'standard' }, text: ['a text'] })),
  search: only(() => ({ collection_name, data: vector(), anns_field: 'vector', limit: 1 })),
  searchIterator: only(() => ({ collection_name, data: vector(), anns_field: 'vector', batchSize: 1 })),
  updateReplicateConfiguration: only(() => ({ clusters: [{ cluster_id: 'a' }] })),
  updateResourceGroups: only(() => ({ resource_groups: { spare: { requests: { node_num: 1 } } } })),
  upsert: only(() => ({ collection_name, data: rows() })),
};

/** How to call a method; undefined when nobody has said so yet. */
export function variantsOf(method: string): Variant[] | undefined {
  return Object.hasOwn(variants, method) ? variants[method] : undefined;
}

import { MilvusClient } from '@zilliz/milvus2-sdk-node';

/** A protobuf message as the SDK's loader shows it: field names as in the .proto, enum values as strings. */
export type Message = Record<string, unknown>;

export interface RpcDefinition {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  requestSerialize(message: Message): Buffer;
  requestDeserialize(bytes: Buffer): Message;
  responseSerialize(message: Message): Buffer;
  responseDeserialize(bytes: Buffer): Message;
  /** The message type of the answer, as the .proto declares it. */
  responseType: { type: { name: string; field: { name: string; typeName: string }[] } };
}

interface WithService {
  service: Record<string, RpcDefinition>;
}

const client = new MilvusClient({
  address: 'stub:1',
  __SKIP_CONNECT__: true,
  pool: { min: 0, max: 1 },
  telemetry: { enabled: false },
  logLevel: 'error',
} as ConstructorParameters<typeof MilvusClient>[0]);

/** Every RPC of Milvus by name, e.g. `milvusService.Search.path`. */
export const milvusService = (client['_MilvusService'] as unknown as WithService).service;

/** RPC names by HTTP/2 path. */
export const rpcByPath = new Map(Object.entries(milvusService).map(([rpc, { path }]) => [path, rpc]));

export const success: Message = { code: 0, error_code: 'Success', reason: '' };

/** A status as Milvus puts it into its answers, for `stub.on(rpc, () => ({ status: failure(8, 'RateLimit') }))`. */
export function failure(code: number, errorCode = 'UnexpectedError', reason = errorCode): Message {
  return { code, error_code: errorCode, reason };
}

const DIMENSION = 4;

const schema: Message = {
  name: 'stub',
  fields: [
    { fieldID: 100, name: 'id', is_primary_key: true, data_type: 'Int64' },
    {
      fieldID: 101,
      name: 'vector',
      data_type: 'FloatVector',
      type_params: [{ key: 'dim', value: String(DIMENSION) }],
    },
  ],
};

function mutationResult(request: Message): Message {
  const rows = Number(request['num_rows'] ?? 1) || 1;
  const ids = Array.from({ length: rows }, (_, row) => row + 1);
  const index = ids.map((_, row) => row);
  return { status: success, IDs: { int_id: { data: ids } }, succ_index: index, acknowledged: true };
}

/** The column of the primary key, in which row i has the id i + 1. */
function idColumn(rows: number): Message {
  const data = Array.from({ length: rows }, (_, row) => row + 1);
  return { field_name: 'id', type: 'Int64', field_id: 100, scalars: { long_data: { data } } };
}

/** One hit for each query vector. */
function searchResults(request: Message): Message {
  const queries = Number(request['nq'] ?? 1) || 1;
  const each = <T>(value: T) => Array.from({ length: queries }, () => value);
  const results = {
    num_queries: queries,
    top_k: 1,
    topks: each(1),
    scores: each(0.5),
    ids: { int_id: { data: Array.from({ length: queries }, (_, query) => query + 1) } },
    fields_data: [idColumn(queries)],
    primary_field_name: 'id',
  };
  return { status: success, results };
}

const defaults: Record<string, (request: Message) => Message> = {
  Connect: () => ({ status: success, identifier: '7', server_info: { build_tags: 'v2.6.0-stub' } }),
  GetVersion: () => ({ status: success, version: 'v2.6.0-stub' }),
  CheckHealth: () => ({ status: success, isHealthy: true }),
  DescribeCollection: request => ({
    status: success,
    schema: { ...schema, name: request['collection_name'] },
    collectionID: 1,
    collection_name: request['collection_name'],
    db_name: request['db_name'],
    shards_num: 1,
    consistency_level: 'Bounded',
  }),
  HasCollection: () => ({ status: success, value: true }),
  HasPartition: () => ({ status: success, value: true }),
  Insert: request => ({ ...mutationResult(request), insert_cnt: request['num_rows'] }),
  Upsert: request => ({ ...mutationResult(request), upsert_cnt: request['num_rows'] }),
  Delete: () => ({ status: success, delete_cnt: 1 }),
  Search: searchResults,
  HybridSearch: searchResults,
  Query: () => ({
    status: success,
    fields_data: [idColumn(1)],
    output_fields: ['id'],
    primary_field_name: 'id',
  }),
  GetLoadingProgress: () => ({ status: success, progress: 100 }),
  GetLoadState: () => ({ status: success, state: 'LoadStateLoaded' }),
  GetFlushState: () => ({ status: success, flushed: true }),
};

/** What Milvus would say on a good day; an RPC without a default of its own gets a bare success. */
export function defaultAnswer(rpc: string, request: Message): Message {
  // Either the answer is a Status or it has one: the serializer leaves out the fields the message lacks.
  return defaults[rpc]?.(request) ?? { ...success, status: success };
}

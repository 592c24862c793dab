import { defaultAnswer, type Message, milvusService, success } from '../stub-answers.js';

const things = (name: string): Message => ({
  status: success,
  schema: {
    name,
    fields: [
      { fieldID: 100, name: 'id', is_primary_key: true, data_type: 'Int64' },
      {
        fieldID: 101,
        name: 'vector',
        data_type: 'FloatVector',
        type_params: [{ key: 'dim', value: '4' }],
      },
    ],
  },
  collectionID: 1,
  collection_name: name,
});

const column = (name: string, data: number[]): Message => ({
  field_name: name,
  type: 'Int64',
  field_id: 100,
  scalars: { long_data: { data } },
});

function hits(request: Message): Message {
  const answer = defaultAnswer('Search', request);
  const results = answer['results'] as Message;
  // The iterator needs the place to go on from.
  return {
    ...answer,
    results: { ...results, search_iterator_v2_results: { token: 'next', last_bound: 0.5 } },
  };
}

/** What the stub says where its own good answer is too bare for the SDK to go on with. */
const answers: Record<string, (request: Message) => Message> = {
  AlterCollectionSchema: () => ({ alter_status: success }),
  BatchDescribeCollection: () => ({ status: success, responses: [things('things'), things('others')] }),
  DescribeIndex: () => ({
    status: success,
    index_descriptions: [{ index_name: 'by_vector', field_name: 'vector', state: 'Finished' }],
  }),
  DescribeResourceGroup: request => ({
    status: success,
    resource_group: { name: request['resource_group'], capacity: 1 },
  }),
  Flush: () => ({ status: success, coll_segIDs: { things: { data: [1, 2] } } }),
  FlushAll: () => ({ status: success, flush_all_ts: 5 }),
  GetCollectionStatistics: () => ({ status: success, stats: [{ key: 'row_count', value: '3' }] }),
  GetFlushAllState: () => ({ status: success, flushed: true }),
  GetMetrics: () => ({ status: success, response: '{"nodes":[]}' }),
  GetPartitionStatistics: () => ({ status: success, stats: [{ key: 'row_count', value: '3' }] }),
  HybridSearch: hits,
  ListResourceGroups: () => ({ status: success, resource_groups: ['__default_resource_group', 'spare'] }),
  Query: request => {
    const counts = (request['output_fields'] as string[]).includes('count(*)');
    return { status: success, fields_data: [counts ? column('count(*)', [3]) : column('id', [1, 2])] };
  },
  Search: hits,
  SelectGrant: () => ({
    status: success,
    entities: [
      {
        role: { name: 'reader' },
        object: { name: 'Collection' },
        object_name: 'things',
        grantor: { privilege: { name: 'Query' } },
      },
    ],
  }),
  SelectRole: () => ({ status: success, results: [{ role: { name: 'reader' } }] }),
  ShowCollections: () => ({ status: success, collection_names: ['things'], collection_ids: [1] }),
  ShowPartitions: () => ({ status: success, partition_names: ['_default'], partitionIDs: [1] }),
};

/** What Milvus would say on a good day, rich enough for every method to come to its end. */
export function goodAnswer(rpc: string, request: Message): Message {
  return answers[rpc]?.(request) ?? defaultAnswer(rpc, request);
}

/** What Milvus says when it refuses: nothing but the status, wherever the RPC's answer has it. */
export function failedAnswer(rpc: string, status: Message): Message {
  const { name, field } = milvusService[rpc]!.responseType.type;
  if (name === 'Status') return status;
  const places = field.filter(({ typeName }) => typeName === 'common.Status');
  if (places.length === 0) throw new Error(`The answer of ${rpc} has no status`);
  return Object.fromEntries(places.map(place => [place.name, status]));
}

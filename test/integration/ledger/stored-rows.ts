import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { eventuallyResolves, pooledClient } from '../../support/pooled-client.js';

const DIMENSION = 8;
/** Half of what Milvus answers at most, so that there is room for doubled rows. */
const PAGE = 8_192;
const LIMIT = 16_384;
const PATIENCE_MS = 90_000;

export function vectorOf(n: number): number[] {
  return Array.from({ length: DIMENSION }, (_, index) => (n >> index) & 1);
}

/** What is really in the server, asked on a way of its own. */
export class StoredRows {
  private readonly client: PooledMilvusClient;

  constructor(
    address: string,
    readonly collections: readonly string[],
  ) {
    this.client = pooledClient(address, {
      name: 'witness',
      pool: { acquireTimeoutMs: PATIENCE_MS },
      timeouts: { readMs: PATIENCE_MS, adminMs: PATIENCE_MS },
    });
  }

  /** The server makes the keys: of rows with equal keys it shows one, and a doubled row has the number of another. */
  async createCollections(): Promise<void> {
    for (const collection_name of this.collections) {
      await this.client.createCollection({
        collection_name,
        fields: [
          { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
          { name: 'n', data_type: DataType.Int64 },
          { name: 'vector', data_type: DataType.FloatVector, dim: DIMENSION },
        ],
        index_params: [{ field_name: 'vector', index_type: 'AUTOINDEX', metric_type: 'L2' }],
        consistency_level: 'Strong',
      });
    }
    await this.load();
  }

  /** Milvus Lite releases its collections when it is started again; a full Milvus needs time until it can read them. */
  async load(): Promise<void> {
    await Promise.all(
      this.collections.map(collection_name =>
        eventuallyResolves(async () => {
          await this.client.loadCollectionAsync({ collection_name });
          await this.numbers(collection_name, 'n == 0');
        }, PATIENCE_MS),
      ),
    );
  }

  /** Whether they are all there. */
  async has(numbers: readonly number[]): Promise<boolean> {
    const found = await Promise.all(
      this.collections.map(each => this.numbers(each, `n in [${numbers.join()}]`)),
    );
    return new Set(found.flat()).size === numbers.length;
  }

  /** How many rows there are of each number below `end`. */
  async count(end: number): Promise<Map<number, number>> {
    const count = new Map<number, number>();
    for (const collection of this.collections) {
      for (let first = 0; first < end; first += PAGE) {
        const numbers = await this.numbers(collection, `n >= ${first} and n < ${first + PAGE}`);
        if (numbers.length === LIMIT) throw new Error(`more rows than a page holds, from ${first} on`);
        for (const number of numbers) count.set(number, (count.get(number) ?? 0) + 1);
      }
    }
    return count;
  }

  private async numbers(collection_name: string, filter: string): Promise<number[]> {
    const { data } = await this.client.query({
      collection_name,
      filter,
      output_fields: ['n'],
      limit: LIMIT,
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    return data.map(({ n }) => Number(n));
  }
}

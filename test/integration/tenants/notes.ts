import { expect } from '@jest/globals';
import { ConsistencyLevelEnum, DataType, type MilvusClient, type ResStatus } from '@zilliz/milvus2-sdk-node';
import type { PooledMilvusClient } from '../../../lib/index.js';
import { pause, times } from '../../support/pooled-client.js';

/** In every database, alike: a stray row would be stored. */
const collection_name = 'notes';
const metric_type = 'L2';
const ROWS_EACH = 2;
const AT_ONCE = 10;

/** Who wrote what: `tenant_3/1/client_53/0`. */
type Note = string;

/** The clients of one tenant, or a client that is derived for each call: it writes, and reads what it wrote. */
export class Writer {
  readonly notes: readonly Note[];

  constructor(
    readonly database: string,
    name: string,
    private readonly client: () => PooledMilvusClient,
  ) {
    this.notes = Array.from({ length: ROWS_EACH }, (_, row) => `${database}/${name}/${row}`);
  }

  /** Stores its notes, and searches its database meanwhile. */
  async write(): Promise<void> {
    const [first, ...others] = this.notes;
    await this.insert(first!);
    await Promise.all([this.search(), ...others.map(note => this.insert(note))]);
  }

  /** @returns what is there of its notes */
  async read(): Promise<Note[]> {
    const found = await this.client().query({
      collection_name,
      filter: `note in ${JSON.stringify(this.notes)}`,
      output_fields: ['note'],
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    return notesOf(found.data);
  }

  private async insert(note: Note): Promise<void> {
    const { insert_cnt } = await this.client().insert({ collection_name, data: [{ note, vector: [1, 1] }] });
    expect(Number(insert_cnt)).toBe(1);
  }

  /** Whatever there is by now: nothing of another tenant. */
  private async search(): Promise<void> {
    const { results } = await this.client().search({
      ...{ collection_name, data: [1, 1], metric_type, limit: 100, output_fields: ['note'] },
    });
    expect(notesOf(results).filter(note => !note.startsWith(`${this.database}/`))).toEqual([]);
  }
}

/** The databases, seen by the plain SDK, which knows nothing of our clients and names the database in each request. */
export class NoteDatabases {
  constructor(
    private readonly plain: MilvusClient,
    readonly names: readonly string[],
  ) {}

  /** The server makes the keys: of rows with equal keys it would show one. */
  async create(): Promise<void> {
    const { plain } = this;
    const fields = [
      { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
      { name: 'note', data_type: DataType.VarChar, max_length: 64 },
      { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
    ];
    await this.inEach(async db_name => {
      const collection = { db_name, collection_name };
      if (db_name !== 'default') must(await plain.createDatabase({ db_name }));
      must(await plain.createCollection({ ...collection, fields, shards_num: 1 }));
      must(await plain.createIndex({ ...collection, field_name: 'vector', index_type: 'FLAT', metric_type }));
      must(await plain.loadCollectionAsync(collection));
    });
    // It takes Milvus a while, and not longer for all of them.
    await this.inEach(async db_name => {
      while ((await plain.getLoadState({ db_name, collection_name })).state !== 'LoadStateLoaded')
        await pause(50);
    });
  }

  /** Every row of every database. */
  async read(): Promise<Map<string, Note[]>> {
    const found = new Map<string, Note[]>();
    await this.inEach(async db_name => {
      const { status, data } = await this.plain.query({
        ...{ db_name, collection_name, filter: 'note != ""', output_fields: ['note'], limit: 10_000 },
        consistency_level: ConsistencyLevelEnum.Strong,
      });
      must(status);
      found.set(db_name, notesOf(data));
    });
    return found;
  }

  private async inEach(work: (database: string) => Promise<void>): Promise<void> {
    const left = this.names.values();
    await Promise.all(
      times(AT_ONCE, async () => {
        for (const database of left) await work(database);
      }),
    );
  }
}

function notesOf(rows: readonly Record<string, unknown>[]): Note[] {
  return rows.map(({ note }) => String(note)).sort();
}

function must({ error_code, reason }: ResStatus): void {
  if (error_code !== 'Success') throw new Error(`${error_code}: ${reason}`);
}

import {
  ConsistencyLevelEnum,
  DataType,
  type FieldType,
  type MilvusClient,
  type RowData,
} from '@zilliz/milvus2-sdk-node';
import { isSuccess, type ResponseStatus } from '../../lib/endpoint/response-status.js';
import { pause } from './pooled-client.js';

/** The collection that every one of the databases has. */
export const collection_name = 'rows';

/** More fields, by turns: none, the same names with other types, and fields that the schema does not name. */
const extras: { fields: FieldType[]; dynamic?: true; values(n: number): RowData }[] = [
  { fields: [], values: () => ({}) },
  { fields: [{ name: 'price', data_type: DataType.Float }], values: n => ({ price: n / 2 }) },
  { fields: [{ name: 'price', data_type: DataType.Int64 }], values: n => ({ price: n }) },
  {
    fields: [{ name: 'label', data_type: DataType.VarChar, max_length: 32 }],
    values: n => ({ label: `${n}` }),
  },
  {
    fields: [
      { name: 'price', data_type: DataType.Bool },
      { name: 'label', data_type: DataType.JSON },
    ],
    values: n => ({ price: n % 2 === 0, label: { n } }),
  },
  { fields: [], dynamic: true, values: n => ({ price: n, label: `${n}` }) },
];

/**
 * A schema that no other number has. Key type, name and dimension of the vector and the further fields come round every
 * 30 numbers: those 30 do not accept each other's rows; the others do, so that a stray row would be stored.
 */
export class UnequalSchema {
  readonly vectorField: string;
  readonly metricType: string;
  private readonly textKey: boolean;
  private readonly dimension: number;
  private readonly extra: (typeof extras)[number];

  constructor(private readonly number: number) {
    this.textKey = number % 2 === 1;
    this.vectorField = ['vector', 'embedding', 'v'][number % 3]!;
    this.metricType = ['L2', 'IP', 'COSINE'][number % 3]!;
    this.dimension = 4 + 4 * (number % 5);
    this.extra = extras[number % extras.length]!;
  }

  get dynamic(): boolean {
    return this.extra.dynamic ?? false;
  }

  get fields(): FieldType[] {
    const { textKey, vectorField, dimension, number, extra } = this;
    const id: FieldType = textKey
      ? { name: 'id', data_type: DataType.VarChar, max_length: 32, is_primary_key: true }
      : { name: 'id', data_type: DataType.Int64, is_primary_key: true };
    return [
      id,
      { name: vectorField, data_type: DataType.FloatVector, dim: dimension },
      { name: 'tag', data_type: DataType.VarChar, max_length: 64 + number },
      ...extra.fields,
    ];
  }

  id(n: number): string | number {
    return this.textKey ? `${n}` : n;
  }

  vector(n: number): number[] {
    return Array.from({ length: this.dimension }, (_, index) => Math.sin(n + index));
  }

  row(n: number, tag: string): RowData {
    return { id: this.id(n), [this.vectorField]: this.vector(n), tag, ...this.extra.values(n) };
  }
}

/**
 * One database with the collection, and what it must have. What it has, it asks the plain SDK: that one can testify
 * against ours. All share one plain client, since making one costs half a second under jest; they name the database in
 * each request, and none of these requests but `seed` needs the SDK's schema cache, which in 2.6 forgets the database.
 */
export class UnequalDatabase {
  /** Tags of the rows that must be there, by id. */
  readonly expected = new Map<string, string>();
  /** What Milvus says of the collection, as a {@link fingerprint}. */
  description = '';
  schema: UnequalSchema;
  private rows = 0;

  constructor(
    readonly name: string,
    schemaNumber: number,
    private readonly plain: MilvusClient,
  ) {
    this.schema = new UnequalSchema(schemaNumber);
  }

  /** A collection that only this database has. */
  get ownCollection(): string {
    return `only_${this.name}`;
  }

  /** Makes the database, unless it is Milvus's own, and its collections. */
  async create(): Promise<void> {
    const { name, plain, schema, ownCollection } = this;
    if (name !== 'default') must(await plain.createDatabase({ db_name: name }));
    const { fields } = schema;
    must(await plain.createCollection({ db_name: name, collection_name: ownCollection, fields }));
    await this.createCollection(plain);
  }

  /**
   * Drops the collection and makes it again, empty and by another schema.
   *
   * @param through who does it; the plain SDK when absent, behind the back of every client of ours
   */
  async recreateCollection(schema: UnequalSchema, through: MilvusClient = this.plain): Promise<void> {
    must(await through.dropCollection(this.collection));
    this.expected.clear();
    this.schema = schema;
    await this.createCollection(through);
    await this.loaded();
  }

  async loaded(): Promise<void> {
    const state = async () => must(await this.plain.getLoadState(this.collection)).state;
    while ((await state()) !== 'LoadStateLoaded') await pause(50);
  }

  /** Stores rows that are there before anybody else writes. Not for two databases at a time. */
  async seed(): Promise<void> {
    const { plain, schema, expected } = this;
    const numbers = [this.nextNumber(), this.nextNumber()];
    const data = numbers.map(n => schema.row(n, this.tag(n, 'seed')));
    schemaCacheOf(plain).clear();
    must(await plain.insert({ ...this.collection, data }));
    for (const { id, tag } of data) expected.set(String(id), String(tag));
  }

  /** The next row's: ids repeat from one database to the other, so that a stray write spoils a row there. */
  nextNumber(): number {
    this.rows++;
    return this.rows;
  }

  /** Tells a row from all others, and its database from others. */
  tag(n: number, writer: string): string {
    return `${this.name}/${n} by ${writer}`;
  }

  owns(tag: unknown): boolean {
    return String(tag).startsWith(`${this.name}/`);
  }

  /** What the database has and should not have, or the reverse. */
  async misplaced(): Promise<string[]> {
    const { name, expected } = this;
    const { data } = must(
      await this.plain.query({
        ...this.collection,
        filter: 'tag != ""',
        output_fields: ['id', 'tag'],
        limit: 16_000,
        consistency_level: ConsistencyLevelEnum.Strong,
      }),
    );
    const there = new Map(data.map(({ id, tag }) => [String(id), String(tag)]));
    const ids = new Set([...there.keys(), ...expected.keys()]);
    return [...ids]
      .filter(id => there.get(id) !== expected.get(id))
      .map(id => `${name}: row ${id} is ${there.get(id)}, and should be ${expected.get(id)}`);
  }

  private get collection() {
    return { db_name: this.name, collection_name };
  }

  private async createCollection(through: MilvusClient): Promise<void> {
    const { collection, schema } = this;
    const { fields, dynamic, vectorField, metricType } = schema;
    const definition = { ...collection, fields, enable_dynamic_field: dynamic, shards_num: 1 };
    const index = { ...collection, field_name: vectorField, index_type: 'FLAT', metric_type: metricType };
    must(await through.createCollection(definition));
    must(await through.createIndex(index));
    must(await through.loadCollectionAsync(collection));
    this.description = fingerprint(must(await this.plain.describeCollection(collection)));
  }
}

/** What tells a description from that of every other collection. */
export function fingerprint({ collectionID, schema }: { collectionID?: unknown; schema?: unknown }): string {
  return JSON.stringify([collectionID, schema]);
}

/** Protected in the SDK's types. */
function schemaCacheOf(client: MilvusClient): { clear(): void } {
  return (client as unknown as { collectionInfoCache: { clear(): void } }).collectionInfoCache;
}

function must<Answer>(answer: Answer): Answer {
  const { status = answer as ResponseStatus } = answer as { status?: ResponseStatus };
  if (!isSuccess(status)) throw new Error(`${status.error_code}: ${status.reason}`);
  return answer;
}

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node';
import {
  getMilvusToken,
  MilvusConfigurationError,
  MilvusModule,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { bootApp, closeApps } from '../../support/nest-app.js';
import { failureOf, quietly } from '../../support/pooled-client.js';
import {
  collection_name,
  fingerprint,
  UnequalDatabase,
  UnequalSchema,
} from '../../support/unequal-databases.js';

const DATABASES = 50;
const CALLERS = 200;
const TASKS_EACH = 3;

let milvus: MilvusStandalone;
let plain: MilvusClient;
/** The one that all callers share. */
let client: PooledMilvusClient;
/** The database that the application configured first, then the other 49. */
let databases: UnequalDatabase[];
/** Milvus's own database has the collection too, and nobody chooses it. */
let nobodys: UnequalDatabase;

beforeAll(async () => {
  await MilvusStandalone.install();
  milvus = await MilvusStandalone.start();
  plain = new MilvusClient({ address: milvus.address, logLevel: 'error' });
  await plain.connectPromise;
  databases = Array.from({ length: DATABASES }, (_, number) => {
    return new UnequalDatabase(number === 0 ? 'home' : `tenant_${number}`, number, plain);
  });
  nobodys = new UnequalDatabase('default', DATABASES, plain);
  const all = [...databases, nobodys];
  await inTurns(all, 10, database => database.create());
  for (const database of all) await database.seed();
  await inTurns(all, 10, database => database.loaded());

  const app = await bootApp({
    // The machine is busy with 200 callers: a slow answer is no fault here.
    imports: [
      MilvusModule.forRoot({
        address: milvus.address,
        database: 'home',
        pool: { acquireTimeoutMs: 60_000 },
        timeouts: { readMs: 60_000 },
      }),
    ],
  });
  client = app.get(getMilvusToken());
}, 300_000);

afterAll(async () => {
  await closeApps();
  await plain?.closeConnection();
  await milvus?.stop();
});

/** Works on the items, so many at a time. */
async function inTurns<Item>(
  items: Item[],
  width: number,
  work: (item: Item, index: number) => Promise<unknown>,
): Promise<void> {
  const left = items.entries();
  const worker = async () => {
    for (const [index, item] of left) await work(item, index);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

/** The same choices in every run, whatever the order in which the callers come. */
function dice(seed: number): <Item>(items: readonly Item[]) => Item {
  let state = Math.imul(seed + 1, 0x9e3779b9);
  return items => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return items[Math.floor((state / 2 ** 32) * items.length)]!;
  };
}

/** What a caller did in a database, and how it said which. */
class Task {
  calls = 0;
  /** Rows that reads gave. */
  rows = 0;

  constructor(
    readonly database: UnequalDatabase,
    private readonly through: PooledMilvusClient,
    /** `{ db_name }` when each request names the database. */
    private readonly named: { db_name?: string },
    private readonly title: string,
  ) {}

  async describe(): Promise<void> {
    const { database } = this;
    for (const cache of [true, false, true]) {
      const found = await this.call(on => on.describeCollection({ ...this.onRows, cache }));
      this.check(fingerprint(found) === database.description, `describes ${JSON.stringify(found.schema)}`);
    }
  }

  async list(): Promise<void> {
    const { database, named } = this;
    const own = await this.call(on =>
      on.hasCollection({ ...named, collection_name: database.ownCollection }),
    );
    this.check(own.value === true, 'lacks its own collection');
    const other = await this.call(on => on.hasCollection({ ...named, collection_name: 'only_default' }));
    this.check(other.value === (database.name === 'default'), `has another's collection`);
    const list = await this.call(on => on.listCollections(named));
    const names = list.data.map(({ name }) => name).sort();
    this.check(names.join() === `${database.ownCollection},${collection_name}`, `lists ${names}`);
  }

  /** Every acknowledged write is noted as what the database must have. */
  async write(): Promise<void> {
    const { database, title } = this;
    const { schema, expected } = database;
    const [kept, changed, gone] = [database.nextNumber(), database.nextNumber(), database.nextNumber()];
    const rows = [kept, changed, gone].map(n => schema.row(n, database.tag(n, title)));
    const inserted = await this.call(on => on.insert({ ...this.onRows, data: rows }));
    this.check(Number(inserted.insert_cnt) === rows.length, `inserts ${inserted.insert_cnt} rows`);
    for (const { id, tag } of rows) expected.set(String(id), String(tag));

    const tag = database.tag(changed, `${title}, changed`);
    await this.call(on => on.upsert({ ...this.onRows, data: [schema.row(changed, tag)] }));
    expected.set(String(changed), tag);
    await this.call(on => on.delete({ ...this.onRows, ids: [schema.id(gone)] as number[] }));
    expected.delete(String(gone));

    const ids = [kept, changed, gone].map(n => schema.id(n)) as number[];
    const { data } = await this.call(on =>
      on.get({ ...this.onRows, ids, output_fields: ['tag'], consistency_level: ConsistencyLevelEnum.Strong }),
    );
    this.rows += data.length;
    const tags = data.map(row => row['tag']).sort();
    const own = [rows[0]!['tag'], tag].sort();
    this.check(tags.join() === own.join(), `gets back ${JSON.stringify(data)}`);
  }

  async search(): Promise<void> {
    const { schema } = this.database;
    const request = {
      ...this.onRows,
      data: schema.vector(1),
      limit: 10,
      output_fields: ['tag'],
      consistency_level: ConsistencyLevelEnum.Eventually,
    };
    // The first one may need the description, the second has it.
    for (const _ of ['first', 'second']) {
      const { results } = await this.call(on => on.search(request));
      this.checkRows(results as { tag?: unknown }[]);
    }
  }

  async query(): Promise<void> {
    const request = { ...this.onRows, filter: 'tag != ""', output_fields: ['*'], limit: 100 };
    const { data } = await this.call(on =>
      on.query({ ...request, consistency_level: ConsistencyLevelEnum.Eventually }),
    );
    this.checkRows(data);
  }

  async pages(): Promise<void> {
    const request = { ...this.onRows, filter: 'tag != ""', output_fields: ['tag'], batchSize: 2 };
    const pages = await this.call(on => on.queryIterator(request));
    let read = 0;
    for await (const page of pages) {
      this.calls++;
      this.checkRows(page as { tag?: unknown }[]);
      read++;
      if (read === 3) break;
    }
  }

  private get onRows() {
    return { ...this.named, collection_name };
  }

  private call<Answer>(make: (on: PooledMilvusClient) => Promise<Answer>): Promise<Answer> {
    this.calls++;
    return make(this.through);
  }

  private checkRows(rows: { tag?: unknown }[]): void {
    this.rows += rows.length;
    const strays = rows.filter(({ tag }) => !this.database.owns(tag));
    this.check(strays.length === 0, `reads ${JSON.stringify(strays)}`);
  }

  private check(holds: boolean, fault: string): void {
    if (!holds) throw new Error(fault);
  }
}

const kinds = ['describe', 'list', 'write', 'search', 'query', 'pages'] as const;

/** What all callers of a run did, and what went wrong. */
class Log {
  readonly problems: string[] = [];
  readonly done = new Map<string, number>();
  calls = 0;
  rows = 0;

  note(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }
}

/** Somebody who shares the client with all the others. */
class Caller {
  private readonly pick: ReturnType<typeof dice>;

  constructor(
    private readonly number: number,
    private readonly way: string,
    private readonly among: UnequalDatabase[],
    private readonly log: Log,
  ) {
    this.pick = dice(number);
  }

  database(): UnequalDatabase {
    return this.pick(this.among);
  }

  /** One task in a database that `through`, or `named`, is said to stand for. */
  async work(database: UnequalDatabase, through: PooledMilvusClient, named: { db_name?: string } = {}) {
    const { number, way, log } = this;
    const kind = this.pick(kinds);
    const task = new Task(database, through, named, `caller ${number}`);
    try {
      await task[kind]();
    } catch (error) {
      log.problems.push(`${way}: ${kind} in ${database.name}: ${error}`);
    }
    log.note(way);
    log.note(kind);
    log.calls += task.calls;
    log.rows += task.rows;
  }

  check(what: string, holds: boolean): void {
    if (!holds) this.log.problems.push(`${what}: caller ${this.number}`);
  }

  async repeatedly(work: () => Promise<void>): Promise<void> {
    for (let n = 0; n < TASKS_EACH; n++) await work();
  }
}

/** How a caller says which database it means. */
const ways: Record<string, (caller: Caller) => Promise<void>> = {
  async nothing(caller) {
    await caller.repeatedly(() => caller.work(databases[0]!, client));
  },

  async 'use, awaited'(caller) {
    const mine = client.with({});
    await caller.repeatedly(async () => {
      const database = caller.database();
      await mine.use({ db_name: database.name });
      await caller.work(database, mine);
      await caller.work(databases[0]!, client);
    });
  },

  async 'use, not awaited'(caller) {
    const mine = client.with({ timeoutMs: 50_000 });
    const [first, second] = [caller.database(), caller.database()];
    void mine.useDatabase({ db_name: first.name });
    // What has begun stays where it began.
    const begun = mine.describeCollection({ collection_name });
    void mine.use({ db_name: second.name });
    caller.check('use, not awaited', fingerprint(await begun) === first.description);
    await caller.repeatedly(() => caller.work(second, mine));
  },

  /** The client that all share has no database to change: nobody may notice the try. */
  async 'use, refused'(caller) {
    const error = await failureOf(client.use({ db_name: caller.database().name }));
    caller.check('use, refused', error instanceof MilvusConfigurationError);
    await caller.repeatedly(() => caller.work(databases[0]!, client));
  },

  async 'use, in branches'(caller) {
    const branches = [caller.database(), caller.database(), caller.database()];
    await Promise.all(
      branches.map(async database => {
        const mine = client.with({});
        await mine.use({ db_name: database.name });
        await caller.repeatedly(() => caller.work(database, mine));
      }),
    );
  },

  async with(caller) {
    const database = caller.database();
    const derived = client.with({ database: database.name });
    await caller.repeatedly(() => caller.work(database, derived));
  },

  async db_name(caller) {
    await caller.repeatedly(() => {
      const database = caller.database();
      return caller.work(database, client, { db_name: database.name });
    });
  },

  async 'db_name over use over with'(caller) {
    const [used, derived, named] = [caller.database(), caller.database(), caller.database()];
    const other = client.with({ database: derived.name });
    await caller.work(derived, other);
    await other.use({ db_name: used.name });
    await caller.work(named, other, { db_name: named.name });
    await caller.work(used, other);
    await caller.work(named, client, { db_name: named.name });
  },

  async 'all at once'(caller) {
    const [used, derived, named] = [caller.database(), caller.database(), caller.database()];
    const mine = client.with({});
    void mine.use({ db_name: used.name });
    await Promise.all([
      caller.work(used, mine),
      caller.work(derived, client.with({ database: derived.name })),
      caller.work(named, client, { db_name: named.name }),
      caller.work(named, mine, { db_name: named.name }),
      caller.work(databases[0]!, client),
    ]);
  },
};

/** Callers, all at once, by turns in every way. */
async function run(callers: number, among: UnequalDatabase[], log = new Log()): Promise<Log> {
  const names = Object.keys(ways);
  const started = Array.from({ length: callers }, (_, number) => {
    const way = names[number % names.length]!;
    return ways[way]!(new Caller(number, way, among, log));
  });
  await Promise.all(started);
  return log;
}

async function misplaced(): Promise<string[]> {
  const found: string[] = [];
  await inTurns([...databases, nobodys], 10, async database => {
    found.push(...(await database.misplaced()));
  });
  return found;
}

describe('200 concurrent callers of one client', () => {
  let log: Log;

  beforeAll(async () => {
    log = await run(CALLERS, databases);
  }, 300_000);

  it('see nothing of another database', () => {
    expect(log.problems.slice(0, 10)).toEqual([]);
  });

  it('leave every acknowledged row in its database, and no row anywhere else', async () => {
    expect(await misplaced()).toEqual([]);
  });

  it('did all that they can do, in every way', () => {
    const seldom = [...Object.keys(ways), ...kinds].filter(what => (log.done.get(what) ?? 0) < 50);
    expect(seldom).toEqual([]);
    expect(log.calls).toBeGreaterThan(1_500);
    expect(log.rows).toBeGreaterThan(1_500);
  });
});

describe('a collection that is made again by another schema', () => {
  const GENERATIONS = 2;

  it('changes for its own database, and for no other', async () => {
    const changing = databases.at(-1)!;
    const through = client.with({ database: changing.name });
    const task = () => new Task(changing, through, {}, 'the one who changes it');
    let over = false;

    const change = async () => {
      for (let generation = 0; generation < GENERATIONS; generation++) {
        const schema = new UnequalSchema(DATABASES + 1 + generation);
        const unseen = generation % 2 === 1;
        await changing.recreateCollection(schema, unseen ? undefined : client);
        // What the client did not see itself, a search finds out.
        if (unseen) await task().search();
        await task().describe();
        await task().write();
        await task().search();
      }
    };
    const changed = quietly(
      change().finally(() => {
        over = true;
      }),
    );
    const log = new Log();
    while (!over) await run(CALLERS / 4, databases.slice(0, -1), log);
    await changed;

    expect(log.problems.slice(0, 10)).toEqual([]);
    expect(log.calls).toBeGreaterThan(250);
    expect(await misplaced()).toEqual([]);
  });
});

describe('a query iterator', () => {
  const pagesOf = async (on: PooledMilvusClient): Promise<AsyncIterator<unknown>> => {
    const question = { collection_name, filter: 'tag != ""', output_fields: ['tag'], batchSize: 1 };
    return (await on.queryIterator(question))[Symbol.asyncIterator]();
  };
  const databaseOfNext = async (pages: AsyncIterator<unknown>) => {
    const { value } = (await pages.next()) as { value: { tag: string }[] };
    return databases.find(database => database.owns(value[0]?.tag))?.name;
  };
  // Of the same shape: a page of the other one would look right.
  const [here, there] = ['tenant_1', 'tenant_31'];

  it('stays in its database when its client goes on to another', async () => {
    const mine = client.with({ database: here });
    const pages = await pagesOf(mine);
    expect(await databaseOfNext(pages)).toBe(here);
    await mine.use({ db_name: there });
    expect(await databaseOfNext(pages)).toBe(here);
  });
});

import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { pause, times } from '../../support/pooled-client.js';
import { Waiters } from '../../support/stub-waiters.js';
import { type Fate, Ledger } from './ledger.js';
import { vectorOf } from './stored-rows.js';

export const WRITERS = 4;
export const ROWS_OF_A_BATCH = 10;
/** So that a long run has no more rows than can be read back. */
const BETWEEN_BATCHES_MS = 20;
/** A full Milvus that was killed is back after seconds, on a machine that stalls after more. */
const PATIENCE_MS = 90_000;

/** Writers that insert numbered rows, on and on, and never insert a row again. */
export class Writers {
  readonly ledger = new Ledger();
  readonly errors: unknown[] = [];
  /** Acknowledged batches of each. */
  private readonly successes = Array.from({ length: WRITERS }, () => 0);
  private readonly waiters = new Waiters<Writers>(this, () => this.summary());
  private readonly done: Promise<void>[];
  private stopped = false;

  /** @param fateOf what an error says of the rows */
  constructor(
    private readonly client: MilvusClient,
    private readonly collections: readonly string[],
    private readonly fateOf: (error: unknown) => Fate,
  ) {
    this.done = times(WRITERS, writer => this.run(writer));
  }

  /** Resolves when every writer has had a batch acknowledged from now on. */
  async everyoneSucceeds(): Promise<void> {
    const before = [...this.successes];
    await this.waiters.waitFor(
      () => this.successes.every((count, writer) => count > before[writer]!),
      PATIENCE_MS,
    );
  }

  /** Resolves when every writer waits for the answer to a batch. */
  everyoneWaits(): Promise<void> {
    return this.waiters.waitFor(() => this.ledger.waiting.length === WRITERS, PATIENCE_MS);
  }

  /** Resolves when the last batch has got its fate. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.done);
  }

  private async run(writer: number): Promise<void> {
    const collection = this.collections[writer % this.collections.length]!;
    while (!this.stopped) {
      const batch = this.ledger.open(ROWS_OF_A_BATCH);
      this.waiters.changed();
      try {
        await this.insert(collection, batch.numbers);
        batch.fate = 'acknowledged';
        this.successes[writer]!++;
      } catch (error) {
        batch.fate = this.fateOf(error);
        this.errors.push(error);
      }
      this.waiters.changed();
      await pause(BETWEEN_BATCHES_MS);
    }
  }

  private async insert(collection_name: string, numbers: readonly number[]): Promise<void> {
    const data = numbers.map(n => ({ n, vector: vectorOf(n) }));
    const { status, insert_cnt } = await this.client.insert({ collection_name, data });
    if (status.error_code !== 'Success' || Number(insert_cnt) !== numbers.length) {
      throw new Error(`${status.error_code} ${status.reason}: ${insert_cnt} of ${numbers.length} rows`);
    }
  }

  private summary(): string {
    const last = this.errors.at(-1);
    return `batches acknowledged ${this.successes}, waiting ${this.ledger.waiting.length}, last error: ${last}`;
  }
}

import type { Call } from './call.js';
import { isSuccess, type ResponseStatus } from './response-status.js';

/** A collection's description as the SDK formats it. */
export interface CollectionDescription {
  status: ResponseStatus;
  collectionID?: unknown;
  schema?: unknown;
}

/** What is needed of the SDK's own cache, which bounds number and age of the entries. */
interface Entries {
  get(key: string): CollectionDescription | undefined;
  set(key: string, description: CollectionDescription): unknown;
  delete(key: string): unknown;
}

/** A DescribeCollection that is on its way. */
interface Question {
  call: Call;
  answer: Promise<CollectionDescription>;
}

/**
 * The descriptions of one client's collections, which the SDK needs for every search and insert. By database too, which
 * SDK 2.6 forgets; and callers that need the same one at the same time share one question.
 */
export class SchemaCache {
  private readonly underWay = new Map<string, Question>();
  /** How often a collection may have changed: what was asked before that is not kept. */
  private changes = 0;

  constructor(private readonly entries: Entries) {}

  /**
   * The description, from the cache or by `ask`.
   *
   * @param call whose limits `ask` has; that of another caller, whose answer this one waits for, may end first
   */
  describe(
    key: string,
    call: Call,
    ask: () => Promise<CollectionDescription>,
  ): Promise<CollectionDescription> {
    const kept = this.entries.get(key);
    if (!kept) return this.askOrWait(key, call, ask);
    call.usedSchema = { key, description: kept };
    return Promise.resolve(kept);
  }

  /** The description that Milvus gives now. */
  async describeAnew(
    key: string,
    call: Call,
    ask: () => Promise<CollectionDescription>,
  ): Promise<CollectionDescription> {
    const { changes } = this;
    const description = await ask();
    this.keep(key, description, changes);
    // Whatever the call met by now, it was not for lack of looking.
    call.usedSchema = undefined;
    return description;
  }

  /** The collection may have changed; an answer that is under way may be too old already. */
  forget(key: string): void {
    this.changes++;
    this.entries.delete(key);
    this.underWay.delete(key);
  }

  private keep(key: string, description: CollectionDescription, asOf: number): void {
    if (asOf === this.changes && isSuccess(description.status)) this.entries.set(key, description);
  }

  private async askOrWait(
    key: string,
    call: Call,
    ask: () => Promise<CollectionDescription>,
  ): Promise<CollectionDescription> {
    for (let asked = this.underWay.get(key); asked; asked = this.underWay.get(key)) {
      try {
        const description = await asked.answer;
        call.answered('DescribeCollection', description);
        return description;
      } catch (error) {
        // Its caller gave up, not Milvus: ask in its place.
        if (call.ended || !asked.call.gaveUp) throw error;
      }
    }
    return this.ask(key, call, ask);
  }

  private async ask(
    key: string,
    call: Call,
    ask: () => Promise<CollectionDescription>,
  ): Promise<CollectionDescription> {
    const { changes } = this;
    const question = { call, answer: ask() };
    this.underWay.set(key, question);
    try {
      const description = await question.answer;
      this.keep(key, description, changes);
      return description;
    } finally {
      if (this.underWay.get(key) === question) this.underWay.delete(key);
    }
  }
}

export function schemaKey(database: string, collection: string): string {
  return `${database}:${collection}`;
}

/** Whether two descriptions are of the same collection in the same state. */
export function sameSchema(a: CollectionDescription, b: CollectionDescription): boolean {
  return fingerprint(a) === fingerprint(b);
}

function fingerprint({ collectionID, schema }: CollectionDescription): string {
  return JSON.stringify([collectionID, schema]);
}

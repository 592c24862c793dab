import { isSuccess, type ResponseStatus } from '../endpoint/response-status.js';
import { type Clock, systemClock } from '../resilience/clock.js';
import type { Call } from './call.js';

/** A collection's description as the SDK formats it. */
export interface CollectionDescription {
  status: ResponseStatus;
  collectionID?: unknown;
  schema?: unknown;
}

/** Bounds number and age of the entries. */
interface Entries {
  get(key: string): CollectionDescription | undefined;
  set(key: string, description: CollectionDescription): unknown;
  delete(key: string): unknown;
  keys(): Iterable<string>;
}

type Ask = () => Promise<CollectionDescription>;

const DESCRIBE_COLLECTION = { name: 'DescribeCollection', repeatability: 'read' } as const;

const CONFIRMED_FOR_MS = 1_000;

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
  /** The questions whose answers may be shared, by key. */
  private readonly shared = new Map<string, Question>();
  /** All questions on their way whose answers may be kept: the collection has not changed since they were asked. */
  private readonly current = new Map<string, Set<Question>>();
  /** When a description turned out to hold although a call failed on it. */
  private readonly confirmed = new WeakMap<CollectionDescription, number>();

  constructor(
    private readonly entries: Entries,
    private readonly clock: Clock = systemClock,
  ) {}

  /**
   * The description, from the cache or by `ask`.
   *
   * @param call whose limits `ask` has; that of another caller, whose answer this one waits for, may end first
   */
  describe(key: string, call: Call, ask: Ask): Promise<CollectionDescription> {
    const kept = this.entries.get(key);
    if (!kept) return this.askOrWait(key, call, ask);
    call.usedSchema = { key, description: kept };
    return Promise.resolve(kept);
  }

  /** The description that Milvus gives now. */
  async describeAnew(key: string, call: Call, ask: Ask): Promise<CollectionDescription> {
    const description = await this.ask(key, { call, answer: ask() });
    // Whatever the call met by now, it was not for lack of looking.
    call.usedSchema = undefined;
    return description;
  }

  /**
   * Whether a description that a call failed on does not hold any more. One that held is not asked for again within a
   * second: bad requests come in numbers.
   */
  async outdated(key: string, used: CollectionDescription, call: Call, ask: Ask): Promise<boolean> {
    const sinceMs = this.clock.now() - (this.confirmed.get(used) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs < CONFIRMED_FOR_MS) return false;
    // Another call may have looked already.
    if (this.entries.get(key) === used) this.forget(key);
    const now = this.entries.get(key) ?? (await this.askOrWait(key, call, ask));
    if (!isSuccess(now.status)) return false;
    if (fingerprint(now) !== fingerprint(used)) return true;
    this.confirmed.set(now, this.clock.now());
    this.confirmed.set(used, this.clock.now());
    return false;
  }

  /** The collection may have changed; an answer that is under way may be too old already. */
  forget(key: string): void {
    this.entries.delete(key);
    this.shared.delete(key);
    this.current.delete(key);
  }

  /** The database is gone, or another one. */
  forgetDatabase(database: string): void {
    const keys = [...this.entries.keys(), ...this.current.keys()];
    for (const key of keys) if (key.startsWith(schemaKey(database, ''))) this.forget(key);
  }

  private async askOrWait(key: string, call: Call, ask: Ask): Promise<CollectionDescription> {
    for (let asked = this.shared.get(key); asked; asked = this.shared.get(key)) {
      // Of UNIMPLEMENTED the one makes an empty answer, the other an error.
      if (asked.call.request.scope.errors !== call.request.scope.errors) break;
      // What befalls a lease is its holder's alone.
      if (asked.call.connections !== call.connections) break;
      // One may have to give up where the other may ask again.
      if (attemptsOf(asked.call) !== attemptsOf(call)) break;
      try {
        const description = await asked.answer;
        call.answered(DESCRIBE_COLLECTION, description);
        return description;
      } catch (error) {
        // Its caller gave up, not Milvus: ask in its place, unless this one's time is nearly up too.
        if (call.ended || !asked.call.gaveUp) throw error;
        if (call.deadline.remainingMs() < call.deadline.timeoutMs / 10) return untilDeadline();
      }
    }
    const question = { call, answer: ask() };
    this.shared.set(key, question);
    try {
      return await this.ask(key, question);
    } finally {
      if (this.shared.get(key) === question) this.shared.delete(key);
    }
  }

  /** Keeps the answer, unless the collection changed meanwhile. */
  private async ask(key: string, question: Question): Promise<CollectionDescription> {
    const questions = this.current.get(key) ?? new Set();
    this.current.set(key, questions.add(question));
    try {
      const description = await question.answer;
      const stillCurrent = this.current.get(key)?.has(question);
      if (stillCurrent && isSuccess(description.status)) this.entries.set(key, description);
      return description;
    } finally {
      questions.delete(question);
      if (questions.size === 0 && this.current.get(key) === questions) this.current.delete(key);
    }
  }
}

function attemptsOf({ retry }: Call): number {
  return retry ? retry.maxAttempts : 0;
}

/** The call's own deadline is about to end it. A promise of its own: one for all would keep everybody who waited on it. */
function untilDeadline(): Promise<never> {
  return new Promise(() => {});
}

export function schemaKey(database: string, collection: string): string {
  return `${database}:${collection}`;
}

/** What two descriptions of the same collection in the same state have in common. */
function fingerprint({ collectionID, schema }: CollectionDescription): string {
  return JSON.stringify([collectionID, schema]);
}

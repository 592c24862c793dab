import type { MilvusCredentials, MilvusCredentialsFunction } from '../options/milvus-client-options.js';
import { type Clock, type Scheduled, systemClock } from '../resilience/clock.js';

/** Longest that a `credentials` function may take, in ms: half of the shortest default deadline of a call. */
const LONGEST_ASK_MS = 5_000;

/** Least time from one question that Milvus's refusals cause to the next, in ms: wrong credentials are refused with every call. */
const COOLDOWN_MS = 1_000;

type Headers = Readonly<Record<string, string>>;

/** Tells what comes of asking; must not throw. */
export interface CredentialsObserver {
  credentialsChanged(): void;
  /** They are refused, and there are no others. */
  credentialsRefused(why: string): void;
}

/**
 * The credentials of one client, which every request carries: connections have none. Where a function gives them, it is asked
 * by one at a time, whoever wants to know waits for the same answer.
 */
export class ClientCredentials {
  // Private to the language: no log that prints this object prints a password.
  #headers?: Headers;
  #user = '';
  readonly #ask?: MilvusCredentialsFunction;
  private asking?: Promise<void>;
  /** As that, because of a refusal. */
  private renewing?: Promise<void>;
  /** Waits no longer for what is being asked. */
  private giveUp = () => {};
  /** When a refusal last made it ask. */
  private renewedAt = Number.NEGATIVE_INFINITY;
  /** What came of asking last, if it was none. */
  private failure?: { error: Error; at: number };

  constructor(
    given: MilvusCredentials | MilvusCredentialsFunction | undefined,
    private readonly observer: CredentialsObserver,
    private readonly clock: Clock = systemClock,
  ) {
    if (typeof given === 'function') this.#ask = given;
    else this.keep(given);
  }

  /** Whether they never change. */
  get fixed(): boolean {
    return !this.#ask;
  }

  /** Whether there are any to send. */
  get known(): boolean {
    return this.#headers !== undefined;
  }

  /** For each request; empty while there are none. */
  get headers(): Headers {
    return this.#headers ?? none;
  }

  /** User that Milvus is told of; empty when it has only a token. */
  get user(): string {
    return this.#user;
  }

  /**
   * Resolves when they are known.
   *
   * @throws Error that names the function and says what is wrong with it
   */
  async first(): Promise<void> {
    if (this.known) return;
    if (!this.asking && this.failure && this.isRecent(this.failure.at)) throw this.failure.error;
    await this.askOnce();
  }

  /**
   * Milvus refused these. Asks for others, unless that was done a moment ago.
   *
   * @returns whether there are others now
   * @throws Error as {@link first}
   */
  async renew(refused: Headers = none): Promise<boolean> {
    if (this.#headers !== refused) return true;
    // What is being answered may be what was true before the refusal.
    if (this.asking && !this.renewing) await this.asking.catch(() => {});
    if (this.#headers !== refused) return true;
    if (!this.renewing && this.isRecent(this.renewedAt)) {
      if (this.failure) throw this.failure.error;
      return false;
    }
    this.renewing ??= this.askForOthers(refused).finally(() => {
      this.renewing = undefined;
    });
    await this.renewing;
    return this.#headers !== refused;
  }

  /** Milvus knows those that a renewal brought: should it refuse them later, that is news. */
  accepted(): void {
    this.renewedAt = Number.NEGATIVE_INFINITY;
  }

  private async askForOthers(refused: Headers): Promise<void> {
    this.renewedAt = this.clock.now();
    try {
      await this.askOnce();
    } catch (error) {
      this.observer.credentialsRefused((error as Error).message);
      throw error;
    }
    if (this.#headers !== refused) return;
    this.observer.credentialsRefused('its `credentials` function gave the same again');
  }

  /**
   * Asks, however little time has passed. Later requests carry what is answered.
   *
   * @throws Error as {@link first}
   */
  async refresh(): Promise<void> {
    // What is being answered may be what was true before.
    await this.asking?.catch(() => {});
    return this.askOnce();
  }

  /** Leaves no timer. */
  close(): void {
    this.giveUp();
  }

  private askOnce(): Promise<void> {
    this.asking ??= this.ask().finally(() => {
      this.asking = undefined;
    });
    return this.asking;
  }

  private isRecent(time: number): boolean {
    return this.clock.now() - time < COOLDOWN_MS;
  }

  private async ask(): Promise<void> {
    const before = this.#headers;
    try {
      this.keep(checked(await this.answered()));
      this.failure = undefined;
      if (before && this.#headers !== before) this.observer.credentialsChanged();
    } catch (error) {
      this.failure = { error: error as Error, at: this.clock.now() };
      throw error;
    }
  }

  /** What the function answers, within the limit. */
  private async answered(): Promise<unknown> {
    let limit: Scheduled | undefined;
    const given = new Promise<never>((_resolve, reject) => {
      const giveUp = (why: string) => reject(new Error(`its \`credentials\` function ${why}`));
      limit = this.clock.schedule(() => giveUp(`gave none in ${LONGEST_ASK_MS} ms`), LONGEST_ASK_MS, true);
      this.giveUp = () => giveUp('had not answered when the client was closed');
    });
    try {
      return await Promise.race([this.called(), given]);
    } finally {
      limit?.cancel();
      // What it holds is not to be held.
      this.giveUp = () => {};
    }
  }

  /** It may throw, now or later. */
  private async called(): Promise<unknown> {
    try {
      return await this.#ask!();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`its \`credentials\` function failed: ${why}`, { cause });
    }
  }

  /** The headers stay the same object as long as they say the same. */
  private keep(credentials: MilvusCredentials | undefined): void {
    this.#user = credentials && 'username' in credentials ? credentials.username : '';
    const headers = authorization(credentials);
    if (!this.#headers || this.#headers['authorization'] !== headers['authorization'])
      this.#headers = headers;
  }
}

const none: Headers = Object.freeze({});

function authorization(credentials: MilvusCredentials | undefined): Headers {
  if (!credentials) return none;
  const plain =
    'token' in credentials ? credentials.token : `${credentials.username}:${credentials.password}`;
  return Object.freeze({ authorization: Buffer.from(plain, 'utf8').toString('base64') });
}

/** @throws Error that says what is missing, and nothing of what is there */
function checked(answer: unknown): MilvusCredentials {
  const { token, username, password } = (answer ?? {}) as Record<string, unknown>;
  const isText = (value: unknown) => typeof value === 'string' && value !== '';
  if (isText(token) && username === undefined && password === undefined) return { token: token as string };
  if (isText(username) && typeof password === 'string' && token === undefined) {
    return { username: username as string, password };
  }
  throw new Error(
    'its `credentials` function gave neither { token } nor { username, password }, each of them a string',
  );
}

import { inspect } from 'node:util';

/** What a client may be given to identify itself. */
export interface GivenCredentials {
  token?: unknown;
  username?: unknown;
  password?: unknown;
  address?: unknown;
}

/** A shorter password, or base64 text, stands by chance in many a log line or stack. */
const SHORTEST = 6;
const SHORTEST_BASE64 = 8;
/** Names of things here, and of files in stacks. With its user or in base64, such a password is searched all the same. */
const COMMON = new Set(['milvus', 'secret', 'secrets', 'password', 'username', 'default', 'credentials']);
/** Much of an error is itself; what its caller gave it as a cause need not be walked to its end. */
const DEEP = { depth: 8, showHidden: true };
const SHOWN = 60;

/** The secrets that tests use, and where they were seen. */
export class KnownSecrets {
  /** Each text that gives a secret away, and what it is in words. */
  private readonly texts = new Map<string, string>();
  private readonly headers = new Set<string>();
  /** The first place of each, by what and where. */
  private readonly found = new Map<string, string>();

  /** Whether there is anything to search for. */
  get any(): boolean {
    return this.texts.size > 0;
  }

  /** Takes anything; what is no text is no secret. */
  learn(given: unknown): void {
    if (typeof given !== 'object' || given === null) return;
    const { token, username, password, address } = given as GivenCredentials;
    if (typeof token === 'string') this.learnPlain(token);
    if (typeof password === 'string') {
      this.learnPlain(`${typeof username === 'string' ? username : ''}:${password}`);
    }
    for (const url of [address].flat()) this.learnUrl(url);
  }

  /** The value of an `authorization` header. */
  learnHeader(authorization: string | undefined): void {
    if (!authorization || this.headers.has(authorization)) return;
    this.headers.add(authorization);
    this.learnPlain(Buffer.from(authorization, 'base64').toString('utf8'));
  }

  search(where: string, value: unknown): void {
    if (!this.any) return;
    for (const text of textsOf(value)) {
      for (const [secret, what] of this.texts) {
        const at = text.indexOf(secret);
        const place = `${what}, in ${where}`;
        if (at < 0 || this.found.has(place)) continue;
        this.found.set(place, this.excerpt(text, at, at + secret.length));
      }
    }
  }

  /** What was found since this was last asked, without the secrets. */
  take(): string[] {
    const found = [...this.found].map(([place, excerpt]) => `${place}: ${excerpt}`);
    this.found.clear();
    return found;
  }

  private learnUrl(url: unknown): void {
    const userInfo = typeof url === 'string' ? /\/\/(.*)@/.exec(url)?.[1] : undefined;
    if (userInfo === undefined) return;
    const [username = '', ...password] = userInfo.split(':');
    try {
      this.learn({
        username: decodeURIComponent(username),
        password: decodeURIComponent(password.join(':')),
      });
    } catch {
      this.learn({ username, password: password.join(':') });
    }
  }

  /** A token: `user:password`, or an API key. */
  private learnPlain(plain: string): void {
    const colon = plain.indexOf(':');
    const password = plain.slice(colon + 1);
    const of = colon > 0 ? ` of "${plain.slice(0, colon)}"` : '';
    this.add(password, `the ${colon < 0 ? 'token' : 'password'}${of}`);
    if (colon > 0 && password !== '') this.add(plain, `user and password${of}`);
    const base64 = Buffer.from(plain, 'utf8').toString('base64');
    if (password !== '' && base64.length >= SHORTEST_BASE64) {
      this.texts.set(base64, `the authorization header${of}`);
    }
  }

  private add(secret: string, what: string): void {
    if (secret.length < SHORTEST || COMMON.has(secret.toLowerCase())) return;
    // As it stands, in a URL, and in JSON.
    for (const text of [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]) {
      this.texts.set(text, what);
    }
  }

  private excerpt(text: string, from: number, to: number): string {
    const hidden = (part: string) =>
      [...this.texts.keys()].reduce((masked, secret) => masked.replaceAll(secret, '***'), part);
    const before = hidden(text.slice(0, from)).slice(-SHOWN);
    return `${before}***${hidden(text.slice(to)).slice(0, SHOWN)}`.replaceAll(/\s+/g, ' ');
  }
}

function* textsOf(value: unknown): Iterable<string> {
  if (typeof value === 'string') yield value;
  if (typeof value !== 'object' || value === null) return;
  if (value instanceof Error) yield value.message;
  // The application's own inspect and toJSON may throw.
  try {
    yield inspect(value, DEEP);
  } catch {}
  try {
    yield JSON.stringify(value) ?? '';
  } catch {}
}

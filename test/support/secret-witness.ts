import { afterAll, afterEach } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { KnownSecrets } from './secret-witness-secrets.js';

// Fails a test in which a token or password that it uses can be read: in a log line of any level, an error, an event, a
// statistic, a report, a health result, or in what printing a client shows. It learns the secrets where the package gets
// them, looks at things as they are made, and costs nothing where there is no secret.

// The shapes of what it watches are not its business.
// biome-ignore lint/suspicious/noExplicitAny: as above
type Any = any;
type Class = { new (...args: Any[]): Any; prototype: Any };

/** An error is walked to its depth this often for one kind of message, because that takes up to a millisecond. */
const DEEP_LOOKS = 3;
/** Printing one takes 20 ms. */
const CLIENTS_OF_A_FILE = 20;

/** For the test of this witness. */
export const secrets = new KnownSecrets();
const looks = new Map<string, number>();
let clients: WeakRef<object>[] = [];
let clientsMade = 0;

const watchers: Record<string, (watched: Class) => void> = {
  ClientCredentials: watched => calls(watched, ['keep'], ([given]) => secrets.learn(given)),
  // Every header that leaves the process, whoever made it.
  Http2Connection: watched =>
    calls(watched, ['send'], ([{ metadata }]) => secrets.learnHeader(metadata['authorization'])),
  MilvusRegistry: watched => {
    // Options that are refused become nobody's credentials.
    calls(watched, methodsOf(watched), args => {
      for (const arg of args) secrets.learn(arg);
    });
    const told = methodsOf(watched).filter(name => name === 'stats' || name === 'close');
    results(watched, told);
  },
  MilvusHealthIndicator: watched => results(watched, ['pingCheck', 'isHealthy']),
  ClientPool: watched => results(watched, ['stats', 'leaks']),
  PoolEvents: watched => calls(watched, ['publish'], ([event]) => secrets.search('an event', event)),
  PooledMilvusClient: watched => {
    results(watched, ['drain']);
    made(watched, client => {
      if (++clientsMade <= CLIENTS_OF_A_FILE) clients.push(new WeakRef(client));
    });
  },
};

/** What must be there to be watched. */
export const watchedClasses = Object.keys(watchers);

Object.assign(globalThis, {
  [Symbol.for('nestjs-milvus.secret-witness')]: (loaded: Class) => {
    watchers[loaded.name]?.(loaded);
    if (Object.getPrototypeOf(loaded) === Error) made(loaded, lookAtError);
  },
});

// Before Nest asks whether the level is on.
for (const target of [Logger, Logger.prototype] as Any[]) {
  for (const level of ['log', 'warn', 'error', 'debug', 'verbose', 'fatal']) {
    replace(target, level, args => secrets.search(`a log line at ${level}`, args));
  }
}
replace(process, 'emitWarning', ([warning]) => secrets.search('a warning of the process', warning));

afterEach(report);
afterAll(report);

function report(): void {
  printClients();
  const found = secrets.take();
  if (found.length === 0) return;
  throw new Error(`A secret can be read:\n${found.map(each => `- ${each}`).join('\n')}`);
}

/** As an application does that logs its client. */
export function printClients(): void {
  for (const each of clients) {
    const client = each.deref() as { pool: object } | undefined;
    secrets.search('a client that is printed', client);
    try {
      secrets.search('a pool that is printed', client?.pool);
    } catch {
      // Its constructor threw.
    }
  }
  clients = [];
}

function lookAtError(error: Error): void {
  if (!secrets.any) return;
  const { name, message } = error;
  secrets.search(name, message);
  const kind = `${name} ${message.replaceAll(/\d+/g, '')}`;
  const times = looks.get(kind) ?? 0;
  if (times >= DEEP_LOOKS) return;
  looks.set(kind, times + 1);
  secrets.search(name, error);
}

/** Told of each instance when its constructors are through. `super()` finds the parent of a class when it runs. */
function made(watched: Class, look: (instance: Any) => void): void {
  const Parent = Object.getPrototypeOf(watched) as Class;
  class Witnessed extends Parent {
    constructor(...args: Any[]) {
      super(...args);
      Promise.resolve().then(() => look(this));
    }
  }
  Object.setPrototypeOf(watched, Witnessed);
}

/** What these methods are given. */
function calls(watched: Class, methods: string[], look: (args: Any[]) => void): void {
  for (const method of methods) replace(existing(watched, method), method, look);
}

/** What these methods resolve to or return. They never reject. */
function results(watched: Class, methods: string[]): void {
  for (const method of methods) {
    const look = (result: unknown) => secrets.search(`the result of ${watched.name}.${method}()`, result);
    replace(existing(watched, method), method, undefined, look);
  }
}

function replace(
  target: Any,
  name: string,
  before?: (args: Any[]) => void,
  after?: (result: unknown) => void,
): void {
  const original = target[name];
  target[name] = function (this: unknown, ...args: Any[]) {
    before?.(args);
    const result = original.apply(this, args);
    if (after) Promise.resolve(result).then(after, () => {});
    return result;
  };
}

function existing({ name, prototype }: Class, method: string): Any {
  if (prototype[method]) return prototype;
  throw new Error(`${name}.${method} is gone: tell secret-witness.ts of its successor`);
}

function methodsOf({ prototype }: Class): string[] {
  const isMethod = (name: string) =>
    typeof Object.getOwnPropertyDescriptor(prototype, name)!.value === 'function';
  return Object.getOwnPropertyNames(prototype).filter(name => name !== 'constructor' && isMethod(name));
}

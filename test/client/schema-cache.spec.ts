import { beforeEach, describe, expect, it } from '@jest/globals';
import { Call } from '../../lib/client/call.js';
import type { CallOwner } from '../../lib/client/call-request.js';
import { type CollectionDescription, SchemaCache, schemaKey } from '../../lib/client/schema-cache.js';
import { DeadlineTimers } from '../../lib/resilience/deadline-timers.js';
import { FakeClock } from '../support/fake-clock.js';
import { quietly } from '../support/pooled-client.js';

const status = { code: 0, error_code: 'Success' };
const key = schemaKey('db', 'c');
const owner: CallOwner = {
  timers: new DeadlineTimers([], new FakeClock()),
  deadlineError: () => new Error('deadline'),
  abortedError: () => new Error('aborted'),
  swallowedError: () => undefined,
  toError: (_call, thrown) => thrown,
  authorization: {},
  retrying: () => {},
  callEnded: () => {},
};

let clock: FakeClock;
let entries: Map<string, CollectionDescription>;
let cache: SchemaCache;
/** The questions that were asked, to be answered by the test. */
let asked: Array<{ answer(description: CollectionDescription): void; fail(error: Error): void }>;

beforeEach(() => {
  clock = new FakeClock();
  entries = new Map();
  cache = new SchemaCache(entries, clock);
  asked = [];
});

function call(timeoutMs = 1_000): Call {
  const limit = { timeoutMs, setBy: '' };
  const scope = { errors: 'throw', retry: false } as const;
  return new Call({ method: 'search', limit, metadata: {}, scope }, owner, clock);
}

const ask = () =>
  new Promise<CollectionDescription>((answer, fail) => {
    asked.push({ answer, fail });
  });
const description = (schema: unknown): CollectionDescription => ({ status, collectionID: 1, schema });
const settled = () => new Promise(resolve => setImmediate(resolve));

describe('a description', () => {
  it('is asked for once and kept', async () => {
    const first = cache.describe(key, call(), ask);
    const second = cache.describe(key, call(), ask);
    asked[0]!.answer(description('a'));

    expect(await first).toEqual(description('a'));
    expect(await second).toBe(await first);
    const third = call();
    expect(await cache.describe(key, third, ask)).toBe(await first);
    expect(third.usedSchema).toEqual({ key, description: await first });
    expect(asked).toHaveLength(1);
  });

  it('is not kept when Milvus refused it', async () => {
    const refused = cache.describe(key, call(), ask);
    asked[0]!.answer({ status: { code: 100, error_code: 'Success' } });
    await refused;

    expect(entries.size).toBe(0);
  });

  it('is not kept when it was forgotten meanwhile, and is when another was', async () => {
    const other = schemaKey('db', 'other');
    const answers = [cache.describe(key, call(), ask), cache.describeAnew(other, call(), ask)];
    cache.forget(key);
    for (const question of asked) question.answer(description('a'));
    await Promise.all(answers);

    expect([...entries.keys()]).toEqual([other]);
  });

  it('is forgotten with its database, and with no other', async () => {
    const others = [schemaKey('db2', 'c'), schemaKey('d', 'b:c')];
    const answers = [key, ...others].map(each => cache.describe(each, call(), ask));
    for (const question of asked) question.answer(description('a'));
    await Promise.all(answers);
    cache.forgetDatabase('db');

    expect([...entries.keys()]).toEqual(others);
  });

  it('is asked for anew in the place of a caller that gave up', async () => {
    const first = call(100);
    const gone = quietly(cache.describe(key, first, ask));
    const waiting = cache.describe(key, call(), ask);
    first.end(new Error('aborted'));
    asked[0]!.fail(new Error('cancelled'));
    await settled();
    expect(asked).toHaveLength(2);
    asked[1]!.answer(description('a'));

    await expect(gone).rejects.toThrow('cancelled');
    expect(await waiting).toEqual(description('a'));
  });

  it('is not asked for anew when the question failed by itself', async () => {
    const answers = [call(), call()].map(each => quietly(cache.describe(key, each, ask)));
    asked[0]!.fail(new Error('gone'));

    for (const answer of answers) await expect(answer).rejects.toThrow('gone');
    expect(asked).toHaveLength(1);
  });
});

describe('a description that a call failed on', () => {
  const used = description('a');

  beforeEach(() => {
    entries.set(key, used);
  });

  it.each([
    ['another schema', description('b'), true],
    ['another collection', { ...used, collectionID: 2 }, true],
    ['the same', description('a'), false],
    ['none', { status: { code: 100 } }, false],
  ])('is outdated when Milvus now gives %s', async (_what, now, expected) => {
    const outdated = cache.outdated(key, used, call(), ask);
    asked[0]!.answer(now);

    expect(await outdated).toBe(expected);
  });

  it('is looked at once for many, and once a second when it holds', async () => {
    const many = [call(), call(), call()].map(each => cache.outdated(key, used, each, ask));
    asked[0]!.answer(description('a'));
    expect(await Promise.all(many)).toEqual([false, false, false]);
    const kept = entries.get(key)!;

    clock.advance(999);
    expect(await cache.outdated(key, kept, call(), ask)).toBe(false);
    expect(asked).toHaveLength(1);
    clock.advance(1);
    const again = cache.outdated(key, kept, call(), ask);
    asked[1]!.answer(description('b'));
    expect(await again).toBe(true);
  });

  it('is outdated without a question when another call has read it again', async () => {
    entries.set(key, description('b'));

    expect(await cache.outdated(key, used, call(), ask)).toBe(true);
    expect(asked).toHaveLength(0);
  });
});

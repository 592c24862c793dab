import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
import { type ResponseStatus, refusalIn } from '../../../lib/endpoint/response-status.js';
import { resolveClientOptions } from '../../../lib/options/resolve-options.js';
import { MilvusLite } from '../../../lib/testing/index.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import {
  answersOf,
  collectionQuestions,
  hybridQuestions,
  type Question,
} from '../../support/same-answers.js';

const servers = [
  {
    name: 'Milvus Lite',
    start: () => MilvusLite.start(),
    credentials: {},
    questions: [...collectionQuestions, ...hybridQuestions],
  },
  {
    name: 'a full Milvus with authentication',
    start: () => MilvusStandalone.start({ auth: true }),
    credentials: { username: 'root', password: 'Milvus' },
    questions: collectionQuestions,
  },
];

/** Whether the plain SDK tells a failure, in one of its ways. */
function failed(answer: unknown): boolean {
  const { resolved, rejected } = answer as { resolved?: ResponseStatus; rejected?: unknown };
  return rejected !== undefined || refusalIn(resolved ?? {}) !== undefined;
}

describe.each(servers)('on $name', ({ start, credentials, questions }) => {
  let server: { address: string; stop(): Promise<void> };
  let expected: Record<string, unknown>;
  let actual: Record<string, unknown>;
  let thrown: Record<string, unknown>;

  beforeAll(async () => {
    server = await start();
    const plain = new MilvusClient({ address: server.address, ...credentials, logLevel: 'error' });
    await plain.connectPromise;
    expected = await answersOf(plain, questions);
    await plain.closeConnection();

    const pooled = new PooledMilvusClient(
      resolveClientOptions('parity', { address: server.address, ...credentials }),
    );
    actual = await answersOf(pooled.with({ errors: 'status' }), questions);
    thrown = await answersOf(pooled, questions);
    await pooled.drain();
  }, 300_000);

  afterAll(() => server?.stop());

  it.each(questions.map(({ name }: Question) => name))('%s answers as the plain SDK does', name => {
    expect(expected[name]).toBeDefined();
    expect(actual[name]).toEqual(expected[name]);
  });

  it.each(questions.map(({ name }: Question) => name))('%s says so when it failed', name => {
    const { rejected } = thrown[name] as { rejected?: unknown };

    if (!failed(expected[name])) expect(thrown[name]).toEqual(expected[name]);
    else expect(rejected).toEqual({ message: expect.stringMatching(/^Milvus client "parity": \w+: /) });
  });

  it('asked questions that have answers', () => {
    const succeeded = Object.values(expected).filter(answer => 'resolved' in (answer as object));
    expect(succeeded.length).toBeGreaterThan(questions.length / 2);
  });
});

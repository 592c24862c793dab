import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { PooledMilvusClient } from '../../../lib/client/pooled-milvus-client.js';
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

describe.each(servers)('on $name', ({ start, credentials, questions }) => {
  let server: { address: string; stop(): Promise<void> };
  let expected: Record<string, unknown>;
  let actual: Record<string, unknown>;

  beforeAll(async () => {
    server = await start();
    const plain = new MilvusClient({ address: server.address, ...credentials, logLevel: 'error' });
    await plain.connectPromise;
    expected = await answersOf(plain, questions);
    await plain.closeConnection();

    const pooled = new PooledMilvusClient(
      resolveClientOptions('parity', { address: server.address, ...credentials }),
    );
    actual = await answersOf(pooled, questions);
    await pooled.drain();
  }, 300_000);

  afterAll(() => server?.stop());

  it.each(questions.map(({ name }: Question) => name))('%s answers as the plain SDK does', name => {
    expect(expected[name]).toBeDefined();
    expect(actual[name]).toEqual(expected[name]);
  });

  it('asked questions that have answers', () => {
    const succeeded = Object.values(expected).filter(answer => 'resolved' in (answer as object));
    expect(succeeded.length).toBeGreaterThan(questions.length / 2);
  });
});

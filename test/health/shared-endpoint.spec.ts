import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type MilvusClientOptions, MilvusHealthIndicator, MilvusRegistry } from '../../lib/index.js';
import { failureOf } from '../support/pooled-client.js';
import { answer, type Behaviour, type StubCall, StubServer, status } from '../support/stub-server.js';

let stub: StubServer;
let registry: MilvusRegistry;

beforeEach(async () => {
  stub = await StubServer.start();
  registry = new MilvusRegistry();
});

afterEach(async () => {
  await registry.close({ drainTimeoutMs: 0 });
  await stub.stop();
});

const add = (name: string, options: Partial<MilvusClientOptions> = { token: `key of ${name}` }) =>
  registry.add(name, {
    address: stub.address,
    startup: { mode: 'lazy' },
    health: { intervalMs: 3_600_000, timeoutMs: 500 },
    ...options,
  });

/** By the token of whoever asks. */
const to =
  (token: string, refusal: Behaviour, otherwise: Behaviour = answer({ isHealthy: true })): Behaviour =>
  (call: StubCall) =>
    (call.metadata['authorization'] === btoa(token) ? refusal : otherwise)(call);

/** What is told of each client. */
async function health(): Promise<Record<string, string>> {
  const { milvus } = await new MilvusHealthIndicator(registry).isHealthy('milvus');
  const { clients } = milvus as unknown as { clients: Record<string, { status: string; reason?: string }> };
  return Object.fromEntries(
    Object.entries(clients).map(([name, { status: is, reason }]) => [name, reason ?? is]),
  );
}

describe('the health of clients that share an endpoint', () => {
  it('is asked for once, whatever their credentials', async () => {
    for (let i = 0; i < 20; i++) await add(`tenant-${i}`);
    expect(new Set(Object.values(await health()))).toEqual(new Set(['up']));
    expect(stub.count('CheckHealth')).toBe(1);

    await add('alone', { pool: { dedicated: true } });
    await health();
    expect(stub.count('CheckHealth')).toBe(3);
  });

  it('is bad for all of them when the server is ill, each in its own name', async () => {
    for (const name of ['one', 'two']) await add(name);
    stub.always('CheckHealth', answer({ isHealthy: false, reasons: ['no rootcoord'] }));
    expect(await health()).toEqual({ one: 'no rootcoord', two: 'no rootcoord' });
    stub.always('CheckHealth', status(14, 'not now'));
    for (const [name, reason] of Object.entries(await health())) {
      expect(reason).toMatch(new RegExp(`^Milvus client "${name}": checkHealth: .*not now`));
    }
  });

  it.each([
    ['Milvus does not know', status(16, 'who?'), /refused the credentials/],
    ['may not ask', status(7, 'not you'), /not you/],
  ])('is bad for the one alone that %s, whoever is asked first', async (_who, refusal, reason) => {
    for (const name of ['bad', 'good', 'fine']) await add(name);
    stub.always('CheckHealth', to('key of bad', refusal));
    for (let i = 0; i < 2; i++) {
      expect(await health()).toEqual({ bad: expect.stringMatching(reason), good: 'up', fine: 'up' });
    }
  });

  it('is bad for the one alone whose credentials function does not answer', async () => {
    await add('bad', { credentials: () => new Promise<never>(() => {}) });
    await add('good', { credentials: () => ({ token: 'good-token' }) });
    expect(await health()).toEqual({ bad: expect.stringMatching(/waited for `credentials`/), good: 'up' });
  });

  it('is bad for one that a call was refused for, until Milvus knows it again', async () => {
    const [one] = [await add('one'), await add('two')];
    const refusal = to('key of one', status(16, 'who?'), answer());
    stub.always('GetVersion', refusal);
    stub.always('CheckHealth', to('key of one', status(16, 'who?')));
    expect(await health()).toMatchObject({ two: 'up' });
    await failureOf(one!.getVersion());
    expect(await health()).toEqual({ one: expect.stringMatching(/refused the credentials/), two: 'up' });
    stub.always('CheckHealth', answer({ isHealthy: true }));
    expect(await health()).toEqual({ one: 'up', two: 'up' });
  });

  it('is asked for by no more than a few at once where Milvus knows none of them', async () => {
    for (let i = 0; i < 40; i++) await add(`tenant-${i}`);
    stub.always('CheckHealth', status(16, 'who?'));
    stub.always('GetVersion', status(16, 'who?'));
    await Promise.all(registry.list().map(name => failureOf(registry.get(name).getVersion())));
    const reasons = Object.values(await health());
    expect(stub.count('CheckHealth')).toBe(8);
    expect(reasons.filter(reason => /refused the credentials/.test(reason))).toHaveLength(8);
    expect(reasons.filter(reason => /refused its credentials the last time/.test(reason))).toHaveLength(32);
  });
});

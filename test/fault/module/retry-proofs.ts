import { failureOf, pooledClient, times } from '../../support/pooled-client.js';
import { type StubServer, status } from '../../support/stub-server.js';
import type { Options, Proof } from './proof.js';

const unavailable = status(14, 'no coordinator');
const timeouts = { readMs: 30_000 };

/** Of the options about retries. Those about pauses make one too long for a call's limit, so that it is not sent again. */
export function retryProofs(startStub: () => Promise<StubServer>): Record<string, Proof> {
  /** How often so many calls at once are sent that Milvus cannot serve. */
  async function timesSent(options: Options, calls = 1): Promise<number> {
    const stub = await startStub();
    stub.always('GetVersion', unavailable);
    const caller = pooledClient(stub.address, { timeouts, ...options });
    await Promise.all(times(calls, () => failureOf(caller.getVersion())));
    return stub.count('GetVersion');
  }

  /** Whether a call is ever sent again before the whole pause has passed. */
  async function comesSooner({ retry }: Options): Promise<boolean> {
    const stub = await startStub();
    stub.always('GetLoadState', unavailable);
    const initialDelayMs = 200;
    const caller = pooledClient(stub.address, {
      retry: { maxAttempts: 2, initialDelayMs, ...retry },
      retryBudget: false,
      timeouts,
    });
    // Several rounds: a machine that stalls makes every pause of one long.
    for (let round = 0; round < 5; round += 1) {
      const names = Array.from({ length: 20 }, (_, call) => `round${round}call${call}`);
      await Promise.all(names.map(name => failureOf(caller.getLoadState({ collection_name: name }))));
      const pauses = names.map(name => {
        const [first, second] = stub
          .calls('GetLoadState')
          .filter(({ request }) => request['collection_name'] === name);
        return second!.atMs - first!.atMs;
      });
      if (Math.min(...pauses) < initialDelayMs - 5) return true;
    }
    return false;
  }

  return {
    retry: {
      see: timesSent,
      options: { retry: false },
      expected: 1,
      without: 3,
    },
    'retry.maxAttempts': {
      see: timesSent,
      options: { retry: { maxAttempts: 5 } },
      expected: 5,
      without: 3,
    },
    'retry.initialDelayMs': {
      see: ({ retry }) => timesSent({ retry: { jitter: 'none', maxDelayMs: 60_000, ...retry } }),
      options: { retry: { initialDelayMs: 60_000 } },
      expected: 1,
      without: 3,
    },
    'retry.maxDelayMs': {
      see: ({ retry }) =>
        timesSent({ retry: { jitter: 'none', initialDelayMs: 10, multiplier: 10_000, ...retry } }),
      options: { retry: { maxDelayMs: 60_000 } },
      expected: 2,
      without: 3,
    },
    'retry.multiplier': {
      see: ({ retry }) =>
        timesSent({ retry: { jitter: 'none', initialDelayMs: 10, maxDelayMs: 60_000, ...retry } }),
      options: { retry: { multiplier: 10_000 } },
      expected: 2,
      without: 3,
    },
    'retry.jitter': {
      see: comesSooner,
      options: { retry: { jitter: 'none' } },
      expected: false,
      without: true,
    },
    retryBudget: {
      see: options => timesSent(options, 10),
      options: { retryBudget: false },
      expected: 30,
      // Ten retries in any case, and two for ten RPCs.
      without: 22,
    },
    'retryBudget.ratio': {
      see: ({ retryBudget }) => timesSent({ retryBudget: { minPerSecond: 0, ...retryBudget } }, 10),
      options: { retryBudget: { ratio: 1 } },
      expected: 20,
      without: 12,
    },
    'retryBudget.minPerSecond': {
      see: ({ retryBudget }) => timesSent({ retryBudget: { ratio: 0, ...retryBudget } }),
      options: { retryBudget: { minPerSecond: 0 } },
      expected: 1,
      without: 3,
    },
  };
}

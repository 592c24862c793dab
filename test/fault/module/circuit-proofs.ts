import type { PooledMilvusClient } from '../../../lib/index.js';
import { eventually, failureOf, pause, pooledClient, times } from '../../support/pooled-client.js';
import { hang, type StubServer, status } from '../../support/stub-server.js';
import type { Options, Proof } from './proof.js';

const away = status(14, 'away');
/** Of no consequence, where something else is looked at. */
const NEVER = 1_000;

/** Of the options about the circuit breaker, and about how a server is watched. */
export function circuitProofs(startStub: () => Promise<StubServer>): Record<string, Proof> {
  /** A client that sends each call once, and whose circuit breaker is told nothing by anybody else. */
  async function caller(
    circuitBreaker: Options['circuitBreaker'],
  ): Promise<{ stub: StubServer; client: PooledMilvusClient }> {
    const stub = await startStub();
    const client = pooledClient(stub.address, { retry: false, health: false, circuitBreaker });
    return { stub, client };
  }

  /** How many calls, one after the other, are sent to a server that is away. */
  async function timesSent(circuitBreaker: Options['circuitBreaker']): Promise<number> {
    const { stub, client } = await caller(circuitBreaker);
    stub.always('GetVersion', away);
    for (let call = 0; call < 30; call += 1) await failureOf(client.getVersion());
    return stub.count('GetVersion');
  }

  /** A circuit breaker that is open, before a server that works again. */
  async function opened(given: Options['circuitBreaker']) {
    const { stub, client } = await caller({ failureThreshold: 1, ...given });
    stub.next('GetVersion', away);
    await failureOf(client.getVersion());
    stub.resetCounts();
    return { stub, client };
  }

  /** As that, and it is time to try again. */
  async function toBeTried(given: Options['circuitBreaker']) {
    const { stub, client } = await opened({ recoveryTimeoutMs: 1, ...given });
    await pause(20);
    return { stub, client };
  }

  /** The circuit breaker behind so many calls that succeed, and then so many that fail. */
  async function after([succeed, fail]: [number, number], failureRate: object, pauseMs = 0): Promise<string> {
    const { stub, client } = await caller({ failureThreshold: NEVER, failureRate });
    for (let call = 0; call < succeed; call += 1) await client.getVersion();
    stub.always('GetVersion', away);
    for (let call = 0; call < fail; call += 1) {
      await failureOf(client.getVersion());
      await pause(pauseMs);
    }
    return client.pool.circuit.state;
  }

  const rateOf = ({ circuitBreaker }: Options) => (circuitBreaker || undefined)?.failureRate;

  return {
    circuitBreaker: {
      see: ({ circuitBreaker = {} }) => timesSent(circuitBreaker),
      options: { circuitBreaker: false },
      expected: 30,
      without: 5,
    },
    'circuitBreaker.failureThreshold': {
      see: ({ circuitBreaker = {} }) => timesSent(circuitBreaker),
      options: { circuitBreaker: { failureThreshold: 2 } },
      expected: 2,
      without: 5,
    },
    'circuitBreaker.recoveryTimeoutMs': {
      see: async ({ circuitBreaker }) => {
        const { client } = await opened(circuitBreaker);
        await pause(200);
        return client.getVersion().then(
          () => 'fine',
          (error: { code: string }) => error.code,
        );
      },
      options: { circuitBreaker: { recoveryTimeoutMs: 100 } },
      expected: 'fine',
      without: 'MILVUS_CIRCUIT_OPEN',
    },
    'circuitBreaker.halfOpenSuccessThreshold': {
      see: async ({ circuitBreaker }) => {
        const { stub, client } = await toBeTried(circuitBreaker);
        while (client.pool.circuit.state !== 'closed') await client.getVersion();
        return stub.count('GetVersion');
      },
      options: { circuitBreaker: { halfOpenSuccessThreshold: 4 } },
      expected: 4,
      without: 2,
    },
    'circuitBreaker.maxHalfOpenRequests': {
      see: async ({ circuitBreaker }) => {
        const { stub, client } = await toBeTried(circuitBreaker);
        stub.always('GetVersion', hang());
        let refused = 0;
        times(5, () =>
          client.getVersion().catch(() => {
            refused += 1;
          }),
        );
        await eventually(() => refused + stub.inFlight === 5);
        return stub.inFlight;
      },
      options: { circuitBreaker: { maxHalfOpenRequests: 3 } },
      expected: 3,
      without: 1,
    },
    'circuitBreaker.failureRate': {
      see: options => timesSent({ failureThreshold: NEVER, failureRate: rateOf(options) }),
      options: { circuitBreaker: { failureRate: {} } },
      expected: 20,
      without: 30,
    },
    'circuitBreaker.failureRate.threshold': {
      see: options => after([7, 3], { minimumCalls: 10, ...rateOf(options) }),
      options: { circuitBreaker: { failureRate: { threshold: 0.25 } } },
      expected: 'open',
      without: 'closed',
    },
    'circuitBreaker.failureRate.minimumCalls': {
      see: options => timesSent({ failureThreshold: NEVER, failureRate: { ...rateOf(options) } }),
      options: { circuitBreaker: { failureRate: { minimumCalls: 3 } } },
      expected: 3,
      without: 20,
    },
    'circuitBreaker.failureRate.windowMs': {
      see: options => after([0, 3], { minimumCalls: 3, ...rateOf(options) }, 100),
      options: { circuitBreaker: { failureRate: { windowMs: 50 } } },
      expected: 'closed',
      without: 'open',
    },
    health: {
      see: async ({ health }) => {
        const stub = await startStub();
        const circuitBreaker = { failureThreshold: 1 };
        const client = pooledClient(stub.address, { retry: false, circuitBreaker, health });
        stub.always('GetVersion', away);
        await failureOf(client.getVersion());
        return asks(stub, 1, health === false ? 1_000 : 20_000);
      },
      options: { health: false },
      expected: false,
      without: true,
    },
    'health.intervalMs': {
      see: async ({ health }) => {
        const stub = await startStub();
        await pooledClient(stub.address, { health }).getVersion();
        return asks(stub, 2, health ? 20_000 : 500);
      },
      options: { health: { intervalMs: 100 } },
      expected: true,
      without: false,
    },
  };
}

/** Whether the server is asked so often how it is. */
function asks(stub: StubServer, often: number, withinMs: number): Promise<boolean> {
  return stub
    .waitFor(() => stub.count('CheckHealth') >= often, withinMs)
    .then(
      () => true,
      () => false,
    );
}

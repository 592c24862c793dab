import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  pause,
  pooledClient,
  quietly,
} from '../../support/pooled-client.js';
import { ANY, hang, StubServer } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

/** Calls that have all begun when the first of them runs out of time, on one connection, whose PING is answered then. */
async function slowCalls() {
  const client = pooledClient(stub.address, {
    pool: { maxConnections: 1 },
    circuitBreaker: {},
    health: { timeoutMs: 300 },
    timeouts: { readMs: 1_500 },
  });
  await connected(client);
  const calls: Promise<unknown>[] = [];
  for (let made = 0; made < 28; made++) {
    calls.push(quietly(client.query({ collection_name: 'c', filter: 'id > 0' })));
    await pause(50);
  }
  return { client, ended: Promise.all(calls.map(failureOf)) };
}

describe('calls that run out of time on a connection that lives', () => {
  it('open the circuit when the server does not even say how it is', async () => {
    stub.always(ANY, hang());
    const { client, ended } = await slowCalls();
    await ended;

    expect(stub.pings).toBeGreaterThan(0);
    expect(client.pool.circuit.state).toBe('open');
  });

  it('do not when it says that it is well: they may take long', async () => {
    stub.always('Query', hang());
    const { client, ended } = await slowCalls();
    await ended;

    await eventually(() => stub.count('CheckHealth') > 0);
    expect(client.pool.circuit).toMatchObject({ state: 'closed' });
    expect(client.pool.state).toBe('ready');
  });
});

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { FaultProxy } from '../../support/fault-proxy.js';
import {
  closeClients,
  connected,
  eventually,
  failureOf,
  pooledClient,
  times,
} from '../../support/pooled-client.js';
import { delay, hang, StubServer } from '../../support/stub-server.js';

const FOUR = { minConnections: 4, maxConnections: 4, maxStreamsPerConnection: 100 };

let stub: StubServer;
let proxy: FaultProxy;

beforeEach(async () => {
  stub = await StubServer.start();
  proxy = await FaultProxy.start({ target: stub.address });
});

afterEach(async () => {
  await closeClients();
  await proxy.stop();
  await stub.stop();
});

it('that dies of four, with 100 calls in flight, is one failure: the circuit stays closed', async () => {
  const client = pooledClient(proxy.address, { pool: FOUR, circuitBreaker: {}, retry: false });
  await connected(client);
  stub.always('Query', hang());
  const calls = times(100, () => client.query({ collection_name: 'c', filter: 'id > 0' }));
  await stub.waitFor(s => s.count('Query') === 100);
  const lost = stub.calls('Query').filter(({ connectionId }) => connectionId === 2).length;
  expect(lost).toBe(25);

  let failed = 0;
  for (const call of calls) call.catch(() => failed++);
  stub.connections.find(({ id }) => id === 2)!.socket.resetAndDestroy();
  await eventually(() => failed === lost);

  expect(client.pool.circuit.state).toBe('closed');
  expect(client.pool.circuit.metrics()).toMatchObject({
    totalRequests: 100,
    totalFailures: 25,
    stateChanges: 0,
  });
  await expect(client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
});

it('that dies of four costs no call when they are reads, and the server sees each lost one again once', async () => {
  const client = pooledClient(proxy.address, { pool: FOUR, circuitBreaker: {} });
  await connected(client);
  stub.always('Query', delay(500));
  const calls = times(100, () => client.query({ collection_name: 'c', filter: 'id > 0' }));
  await stub.waitFor(s => s.count('Query') === 100);
  stub.connections.find(({ id }) => id === 3)!.socket.resetAndDestroy();
  await Promise.all(calls);

  expect(stub.count('Query')).toBe(125);
  expect(client.pool.circuit.metrics()).toMatchObject({ totalFailures: 0, stateChanges: 0 });
});

it('that dies after another is another failure: five of them in a row open the circuit', async () => {
  const client = pooledClient(proxy.address, {
    pool: { ...FOUR, minConnections: 1, maxConnections: 1 },
    circuitBreaker: {},
    health: false,
    retry: false,
  });
  await connected(client);
  stub.always('Query', ({ connection }) => connection.socket.resetAndDestroy());
  for (let died = 1; died <= 5; died++) {
    expect(client.pool.circuit.state).toBe('closed');
    await Promise.all(times(10, () => failureOf(client.query({ collection_name: 'c', filter: 'id > 0' }))));
    expect(client.pool.circuit.metrics().stateChanges).toBe(died === 5 ? 1 : 0);
  }
  expect(client.pool.circuit.state).toBe('open');
});

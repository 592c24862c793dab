import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { closeClients, failureOf, pause, pooledClient, times } from '../../support/pooled-client.js';
import { answer, failure, StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

it('are true of what the server counted: calls once, whatever number of attempts they took', async () => {
  const client = pooledClient(stub.address, {
    circuitBreaker: { recoveryTimeoutMs: 600_000 },
    health: false,
  });
  const load = () => client.getLoadState({ collection_name: 'c' });
  expect(client.pool.circuit.metrics()).toMatchObject({ totalRequests: 0, successRatePercent: 100 });

  // One retry each; then a refusal, which says that the server works.
  stub.next('GetLoadState', status(14, 'away'));
  await load();
  stub.next('GetLoadState', answer({ status: failure(1100, 'invalid parameter') }));
  await failureOf(load());
  expect(stub.count('GetLoadState')).toBe(3);
  expect(client.pool.circuit.metrics()).toMatchObject({
    totalRequests: 2,
    totalFailures: 0,
    successRatePercent: 100,
    stateChanges: 0,
  });

  stub.always('GetLoadState', status(14, 'away'));
  stub.resetCounts();
  for (let failed = 0; failed < 5; failed++) await failureOf(load());
  expect(stub.count('GetLoadState')).toBe(15);
  await Promise.all(times(7, () => failureOf(load())));
  await pause(20);

  expect(stub.count('GetLoadState')).toBe(15);
  const metrics = client.pool.circuit.metrics();
  expect(metrics).toMatchObject({
    totalRequests: 7,
    totalFailures: 5,
    totalFastFailures: 7,
    stateChanges: 1,
  });
  expect(metrics.successRatePercent).toBeCloseTo((100 * 2) / 7);
  expect(metrics.sinceMs).toBeGreaterThanOrEqual(19);
  expect(Object.isFrozen(metrics)).toBe(true);

  client.pool.circuit.reset();
  expect(client.pool.circuit.state).toBe('closed');
  stub.behave();
  await load();
  expect(client.pool.circuit.metrics()).toMatchObject({ totalRequests: 8, totalFastFailures: 7 });
});

it('are counted without a breaker too, and no call fails for what happened to others', async () => {
  const client = pooledClient(stub.address, { circuitBreaker: false, retry: false });
  stub.always('GetLoadState', status(14, 'away'));
  await Promise.all(times(20, () => failureOf(client.getLoadState({ collection_name: 'c' }))));

  expect(stub.count('GetLoadState')).toBe(20);
  expect(client.pool.circuit.state).toBe('disabled');
  expect(client.pool.circuit.metrics()).toMatchObject({
    totalRequests: 20,
    totalFailures: 20,
    totalFastFailures: 0,
    successRatePercent: 0,
  });
});

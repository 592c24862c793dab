import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { MilvusClientOptions } from '../../../lib/index.js';
import { closeClients, failureOf, pooledClient, times } from '../../support/pooled-client.js';
import { goaway, rst, StubServer, status } from '../../support/stub-server.js';
import { QUICK } from './cells.js';

const CALLS = 200;
const request = { collection_name: 'c' };

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const clientWith = (retryBudget: MilvusClientOptions['retryBudget']) =>
  pooledClient(stub.address, { pool: { maxConnections: 1 }, retry: QUICK, retryBudget });

describe('the retry budget', () => {
  /** For a window of 10 s. */
  const FLOOR = 2;

  it.each(['at once', 'one after the other'])('bounds what an outage is sent: %s', async how => {
    const client = clientWith({ ratio: 0.2, minPerSecond: FLOOR / 10 });
    stub.always('GetLoadState', status(14));
    const errors: Error[] = [];
    const call = async () => void errors.push(await failureOf(client.getLoadState(request)));
    if (how === 'at once') await Promise.all(times(CALLS, call));
    else for (let calls = 0; calls < CALLS; calls++) await call();

    const sent = stub.count('GetLoadState');
    expect(sent).toBeLessThanOrEqual(CALLS * 1.2 + FLOOR);
    // A machine that stalls for 10 s forgets a part of it.
    expect(sent).toBeGreaterThan(CALLS * 1.1);
    const { sends } = client.pool.stats();
    expect(sends).toMatchObject({ rpcs: CALLS, attempts: sent, retries: sent - CALLS });
    expect(sends.budgetRefusals).toBeGreaterThan(CALLS / 2);
    const refused = errors.filter(({ message }) => message.includes('the retry budget is used up'));
    expect(refused.length).toBe(sends.budgetRefusals);
    expect(errors.every(({ name }) => name === 'MilvusUnavailableError')).toBe(true);
  });

  it('may be none', async () => {
    const client = clientWith(false);
    stub.always('GetLoadState', status(14));
    const errors = await Promise.all(times(CALLS, () => failureOf(client.getLoadState(request))));

    expect(stub.count('GetLoadState')).toBe(CALLS * 3);
    expect(client.pool.stats().sends.budgetRefusals).toBe(0);
    expect(errors.every(({ message }) => message.includes('It was sent 3 times'))).toBe(true);
  });

  it('is that of all derived clients together', async () => {
    const client = clientWith({ ratio: 0, minPerSecond: 0.1 });
    stub.always('GetLoadState', status(14));
    for (const each of [client, client.with({}), client.with({ idempotent: true })]) {
      await failureOf(each.getLoadState(request));
    }

    expect(stub.count('GetLoadState')).toBe(4);
  });

  it('does not pay for what HTTP/2 gives back when it closes a connection, but for what it refuses', async () => {
    const client = clientWith({ ratio: 0, minPerSecond: 0 });
    stub.next('GetLoadState', goaway(0, 'below'));
    await client.getLoadState(request);
    expect(stub.count('GetLoadState')).toBe(2);

    stub.next('GetLoadState', rst(7));
    expect(await failureOf(client.getLoadState(request))).toMatchObject({ attempts: 1 });
    expect(stub.count('GetLoadState')).toBe(3);
    expect(client.pool.stats().sends.budgetRefusals).toBe(1);
  });
});

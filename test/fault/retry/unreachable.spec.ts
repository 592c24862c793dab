import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { closeClients, failureOf, gate, pooledClient } from '../../support/pooled-client.js';
import { type Behaviour, executing, StubServer } from '../../support/stub-server.js';
import { QUICK } from './cells.js';
import { subjects } from './subjects.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const pool = { maxConnections: 1, acquireTimeoutMs: 150 };
const clientThat = (retry: typeof QUICK | false) =>
  pooledClient(stub.address, { pool, retry, retryBudget: false });

describe('a server that refuses connections', () => {
  it.each(['retried', 'not retried'])('gets nothing, of no class, %s', async how => {
    await stub.stop();
    const client = clientThat(how === 'retried' ? QUICK : false);

    const errors = await Promise.all(subjects.map(({ call }) => failureOf(call(client))));
    for (const error of errors) {
      expect(error).toMatchObject({ name: 'MilvusUnavailableError' });
      expect(error).not.toHaveProperty('attempts');
      expect(error).not.toHaveProperty('outcomeUnknown');
    }
    await stub.restart();
    expect(stub.count()).toBe(0);
  });

  it.each(['retried', 'not retried'])('gets each once when it is back in time, %s', async how => {
    await stub.stop();
    for (const { rpc } of subjects) stub.always(rpc, executing());
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 1 },
      retry: how === 'retried' ? QUICK : false,
      retryBudget: false,
    });
    const { opened, open } = gate();
    client.pool.events$.subscribe(({ type }) => type === 'connect-failed' && open());

    const calls = subjects.map(({ call }) => call(client));
    await opened;
    await stub.restart();
    await Promise.all(calls);
    for (const { rpc } of subjects) {
      const callers = subjects.filter(each => each.rpc === rpc).length;
      expect([rpc, stub.count(rpc), stub.executions(rpc)]).toEqual([rpc, callers, callers]);
    }
    expect(client.pool.stats().sends.retries).toBe(0);
  });
});

describe('a server that dies with the request, and stays away', () => {
  it.each(subjects)('$name', async ({ rpc, column, call }) => {
    const client = clientThat(QUICK);
    const { opened: reached, open } = gate();
    const dies: Behaviour = () => open();
    stub.always(rpc, executing(dies));
    const failed = failureOf(call(client));
    await reached;
    await stub.stop();

    const error = await failed;
    expect(error).toMatchObject({
      name: column === 'once' ? 'MilvusOutcomeUnknownError' : 'MilvusUnavailableError',
      attempts: 1,
    });
    if (column !== 'once') expect(error.message).toContain('There was no connection to send it again');
    expect(error.outcomeUnknown).toBe(column === 'read' ? undefined : true);
    expect([stub.count(rpc), stub.executions(rpc)]).toEqual([1, 1]);
    expect(client.pool.stats().sends).toMatchObject({ unknownOutcomes: column === 'read' ? 0 : 1 });
  });
});

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  closeClients,
  connected,
  eventually,
  gate,
  pooledClient,
  times,
} from '../../support/pooled-client.js';
import { answer, type StubCall, type StubConnection, StubServer, until } from '../../support/stub-server.js';
import { Executed, Load } from './load.js';

const MINUTE = 60_000;
const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

/** Node's own GOAWAY: the server forgets what lies above, and goes on with the rest. */
function goawayAfter(call: StubCall | undefined): void {
  call?.connection.session?.goaway(0, call.streamId);
}

describe('GOAWAY on all connections at once', () => {
  it('loses no call of a steady load and executes none twice', async () => {
    const told = new Set<StubConnection>();
    const executed = new Executed(stub, 10);
    const client = pooledClient(stub.address, {
      pool: { minConnections: 4, maxConnections: 4, acquireTimeoutMs: MINUTE },
      timeouts: { readMs: MINUTE },
    });
    const load = new Load(client, 100);

    for (let round = 1; round <= 3; round++) {
      const before = load.succeeded;
      const serving = () => stub.connections.filter(each => each.open && !told.has(each));
      const underWay = (connection: StubConnection) =>
        stub.received.filter(call => call.connection === connection && !call.ended);
      await eventually(
        () =>
          load.succeeded > before + 200 && serving().filter(each => underWay(each).length > 7).length === 4,
        MINUTE,
      );
      for (const connection of serving()) {
        told.add(connection);
        // As the servers of Go begin: what is on its way to them is still looked at. With less than that Node's own
        // server fails now and then of streams that cross its GOAWAY.
        connection.session?.goaway(0, 2 ** 31 - 1);
      }
    }
    const goal = load.succeeded + 200;
    await eventually(() => load.succeeded > goal, MINUTE);
    await load.stop();

    expect(load.failures).toEqual([]);
    expect(executed.notOnce(load.names)).toEqual([]);
    await eventually(() => client.pool.stats().connections.leaving === 0);
    expect(client.pool.stats().closed).toMatchObject({ goaway: 12, failed: 0 });
  });

  it('sends writes again that the server has not looked at, and no others', async () => {
    const client = pooledClient(stub.address, {
      pool: { minConnections: 2, maxConnections: 2, acquireTimeoutMs: MINUTE },
    });
    await connected(client);
    await client.insert(rows);
    stub.resetCounts();

    const { opened, open } = gate();
    stub.always('Insert', until(opened));
    const inserts = times(20, () => client.insert(rows));
    await stub.waitFor(s => s.count('Insert') === 20);
    const first = stub.calls('Insert').slice(0, 20);
    const old = new Set(first.map(({ connectionId }) => connectionId));
    // On each connection the first two are looked at.
    const lookedAt = [...old].flatMap(id =>
      first.filter(({ connectionId }) => connectionId === id).slice(0, 2),
    );
    for (const id of old) goawayAfter(lookedAt.findLast(({ connectionId }) => connectionId === id));
    await stub.waitFor(s => s.count('Insert') === 20 + 20 - lookedAt.length);
    open();
    await Promise.all(inserts);

    expect(old.size).toBe(2);
    const again = stub.calls('Insert').slice(20);
    expect(again.some(({ connectionId }) => old.has(connectionId))).toBe(false);
    expect(stub.count('Insert')).toBe(36);
  });
});

describe('a call that GOAWAY sends back', () => {
  it('takes its place before those who came after it', async () => {
    const order: string[] = [];
    stub.always('GetLoadState', call => {
      order.push(`${call.request['collection_name']}@${call.connectionId}`);
      if (call.connectionId !== 1) answer()(call);
    });
    const client = pooledClient(stub.address, {
      pool: { maxConnections: 1, maxStreamsPerConnection: 2, acquireTimeoutMs: MINUTE, maxPending: 3 },
      timeouts: { readMs: MINUTE },
    });
    await connected(client);
    const calls = ['a', 'b', 'c', 'd', 'e'].map(name => client.getLoadState({ collection_name: name }));
    await stub.waitFor(s => s.inFlight === 2);

    stub.goaway(0, 0);
    await Promise.all(calls);

    expect(order).toEqual(['a@1', 'b@1', 'a@2', 'b@2', 'c@2', 'd@2', 'e@2']);
  });
});

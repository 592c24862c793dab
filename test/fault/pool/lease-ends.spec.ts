import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusClosedError, MilvusUnavailableError } from '../../../lib/index.js';
import {
  closeClients,
  eventually,
  failureOf,
  gate,
  pause,
  pooledClient,
  quietly,
  times,
} from '../../support/pooled-client.js';
import { hang, StubServer, until } from '../../support/stub-server.js';
import { connectionsOf } from './load.js';

const PATIENT = { timeoutMs: 60_000 };

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('the connection of a lease', () => {
  it.each(['rst', 'fin'] as const)(
    'may die (%s): its calls fail, release works, the next gets a new one',
    async how => {
      const client = pooledClient(stub.address, {
        name: 'search',
        pool: { maxLeases: 1, maxStreamsPerConnection: 2, acquireTimeoutMs: 100_000 },
        timeouts: { readMs: 100_000 },
      });
      const lease = await client.pool.acquire(PATIENT);
      stub.always('GetLoadState', hang());
      // Two on the wire, one behind them.
      const under = times(3, () => lease.client.getLoadState({ collection_name: 'mine' }));
      await stub.waitFor(s => s.count('GetLoadState') === 2);
      const { connection } = stub.calls('GetLoadState')[0]!;
      if (how === 'rst') connection.socket.resetAndDestroy();
      else connection.socket.destroy();

      const brokeAt = performance.now();
      for (const call of under) {
        const error = await failureOf(call);
        expect(error).toBeInstanceOf(MilvusUnavailableError);
        expect(error).toMatchObject({ client: 'search' });
      }
      expect(performance.now() - brokeAt).toBeLessThan(50_000);
      stub.behave();
      const later = await failureOf(lease.client.getVersion());
      expect(later).toBeInstanceOf(MilvusUnavailableError);
      expect(stub.count('GetVersion')).toBe(0);
      // It is held until it is given back.
      expect(client.pool.stats().leases.held).toBe(1);
      lease.release();
      lease.release();

      const next = await client.pool.acquire(PATIENT);
      await next.client.getLoadState({ collection_name: 'next' });
      expect(connectionsOf(stub, 'next')).not.toEqual([connection.id]);
      expect(client.pool.stats()).toMatchObject({ leases: { held: 1 }, closed: { failed: 1 } });
    },
  );

  it('may be told to go: what is under way ends well, later calls fail, the next gets a new one', async () => {
    const client = pooledClient(stub.address, { pool: { maxLeases: 1 } });
    const lease = await client.pool.acquire(PATIENT);
    const { opened, open } = gate();
    stub.next('GetLoadState', until(opened));
    const under = quietly(lease.client.getLoadState({ collection_name: 'mine' }));
    await stub.waitFor(s => s.count('GetLoadState') === 1);
    stub.goaway(0, 'max', stub.calls('GetLoadState')[0]!.connectionId);
    // The announcement is not awaited by anything else than a call that it refuses.
    let refused: Error | undefined;
    while (!refused) {
      await lease.client.getVersion().catch(error => {
        refused = error;
      });
      await pause(5);
    }
    open();

    expect(refused).toBeInstanceOf(MilvusUnavailableError);
    await expect(under).resolves.toMatchObject({ state: 'LoadStateLoaded' });
    lease.release();
    const next = await client.pool.acquire(PATIENT);
    await next.client.getVersion();
  });
});

describe('a drain', () => {
  it('waits for leases, lets their calls pass and refuses new ones', async () => {
    const client = pooledClient(stub.address, { name: 'search', pool: { maxLeases: 1 } });
    const lease = await client.pool.acquire(PATIENT);
    const waiting = quietly(client.pool.acquire(PATIENT));
    const drained = client.drain({ timeoutMs: 60_000 });

    expect(await failureOf(client.pool.acquire(PATIENT))).toBeInstanceOf(MilvusClosedError);
    expect(await failureOf(client.getVersion())).toBeInstanceOf(MilvusClosedError);
    await expect(lease.client.getVersion()).resolves.toMatchObject({ version: 'v2.6.0-stub' });
    expect(client.pool.state).toBe('draining');
    lease.release();

    // Whoever was in the line before it began gets his turn.
    const last = await waiting;
    await last.client.getVersion();
    last.release();
    expect(await drained).toMatchObject({ clean: true, clients: [{ outcome: 'clean', heldLeases: 0 }] });
    await stub.waitFor(s => s.connectionsOpen === 0);
    expect(await failureOf(client.pool.acquire(PATIENT))).toBeInstanceOf(MilvusClosedError);
  });

  it('tells how many were held at its limit, and closes them', async () => {
    const client = pooledClient(stub.address);
    const leases = [await client.pool.acquire(PATIENT), await client.pool.acquire(PATIENT)];
    stub.always('GetVersion', hang());
    const under = quietly(leases[0]!.client.getVersion());
    await stub.waitFor(s => s.inFlight === 1);

    const report = await client.drain({ timeoutMs: 100 });

    expect(report).toMatchObject({
      clean: false,
      clients: [{ outcome: 'timedOut', heldLeases: 2, cancelledCalls: 1 }],
    });
    expect(await failureOf(under)).toBeInstanceOf(MilvusClosedError);
    expect(await failureOf(leases[1]!.client.getVersion())).toBeInstanceOf(MilvusClosedError);
    for (const lease of leases) lease.release();
    await stub.waitFor(s => s.connectionsOpen === 0);
    await eventually(() => client.pool.state === 'closed');
  });
});

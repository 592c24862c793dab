import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { getMilvusToken, MilvusModule, type PooledMilvusClient } from '../../../lib/index.js';
import { FaultProxy } from '../../support/fault-proxy.js';
import { bootApp, closeApps } from '../../support/nest-app.js';
import { durationOf, eventually, quietly, SOON_MS, times } from '../../support/pooled-client.js';
import { ANY, hang, StubServer } from '../../support/stub-server.js';

let alive: StubServer;
let dead: StubServer;
let proxy: FaultProxy;

beforeEach(async () => {
  [alive, dead] = [await StubServer.start(), await StubServer.start()];
  proxy = await FaultProxy.start({ target: dead.address });
});

afterEach(async () => {
  await closeApps();
  await proxy.stop();
  await Promise.all([alive.stop(), dead.stop()]);
});

const forEver = 60_000;

/** One client of a server that works, one of a server that does not. */
async function bootBoth() {
  const app = await bootApp({
    imports: [
      MilvusModule.forRoot({ name: 'alive', address: alive.address }),
      MilvusModule.forRoot({
        name: 'dead',
        address: proxy.address,
        startup: { mode: 'background', timeoutMs: forEver },
        pool: { connectTimeoutMs: forEver, acquireTimeoutMs: forEver },
        timeouts: { readMs: forEver },
        health: { timeoutMs: forEver },
      }),
    ],
  });
  const client = (name: string) => app.get<PooledMilvusClient>(getMilvusToken(name));
  return { alive: client('alive'), dead: client('dead') };
}

describe('a client whose server is away', () => {
  it.each([
    ['swallows connections', () => proxy.blackholeNew()],
    ['takes calls and answers none', () => dead.always(ANY, hang())],
  ])('delays neither boot, nor calls, nor drain of another one: it %s', async (_what, goAway) => {
    goAway();
    const boot = bootBoth();
    expect(await durationOf(boot)).toBeLessThan(SOON_MS);
    const clients = await boot;
    const lost = quietly(clients.dead.getVersion());
    const calls = Promise.all(times(20, () => clients.alive.getVersion()));
    expect(await durationOf(calls)).toBeLessThan(SOON_MS);
    await calls;

    const draining = clients.dead.drain({ timeoutMs: 2_000 });
    const report = await clients.alive.drain();
    expect(report.clean).toBe(true);
    expect(clients.dead.pool.state).toBe('draining');
    await draining;
    await expect(lost).rejects.toMatchObject({ client: 'dead', code: 'MILVUS_CLOSED' });
  });

  it('is closed at once although its server is being asked how it is', async () => {
    const { dead: client } = await bootBoth();
    await client.getVersion();
    dead.always('CheckHealth', hang());
    const prober = quietly(client.isAvailable({ timeoutMs: forEver }));
    await dead.waitFor(({ inFlight }) => inFlight === 1);
    expect(await durationOf(client.drain({ timeoutMs: 10 }))).toBeLessThan(SOON_MS);
    expect(await prober).toBe(false);
    await eventually(() => dead.connectionsOpen === 0);
  });
});

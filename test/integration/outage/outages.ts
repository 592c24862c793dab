import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { eventually, pause, SOON_MS } from '../../support/pooled-client.js';
import { HEALTH_LIMIT_MS, OutageApp, READ_MS, type WatchedClient } from './outage-app.js';
import { ManyRequests, Poll, type Requests } from './requests.js';

/** What `MilvusLite` and `MilvusStandalone` have in common. */
interface Server {
  readonly address: string;
  readonly pid: number | undefined;
  kill(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Fault {
  what: string;
  begin(server: Server): Promise<void> | void;
  end(server: Server): Promise<void> | void;
}

const AWAY_MS = 5_000;

/** Until a server that is back is used again: a full Milvus has to find its parts again. */
const RECOVERY_MS = 40_000;

const faults: Fault[] = [
  {
    what: 'stopped for 5 s and continued',
    begin: ({ pid }) => void process.kill(pid!, 'SIGSTOP'),
    end: ({ pid }) => void process.kill(pid!, 'SIGCONT'),
  },
  { what: 'killed and started again', begin: server => server.kill(), end: server => server.restart() },
];

/** Tests of an application whose Milvus goes away and comes back while requests come in. */
export function itLivesThroughOutages(start: () => Promise<Server>): void {
  let server: Server;
  let app: OutageApp;
  let load: Requests;
  let readiness: Requests;

  beforeAll(async () => {
    server = await start();
    app = await OutageApp.start(server.address);
    await app.busy.client.createCollection({
      collection_name: 'books',
      dimension: 4,
      index_params: { index_type: 'AUTOINDEX', metric_type: 'L2' },
    });
  }, 900_000);

  afterEach(async () => {
    // Also after a failure, so that the test can be run again.
    if (server.pid === undefined) await server.restart();
    else process.kill(server.pid, 'SIGCONT');
    await Promise.all([load?.stop(), readiness?.stop()]);
  });

  afterAll(async () => {
    await app?.close();
    await server?.stop();
  });

  it.each(faults)('$what, under 50 requests/s', async ({ begin, end }) => {
    const { busy, unused } = app;
    const { circuit } = busy.client.pool;
    const bothReady = () => [busy, unused].every(({ client }) => client.pool.state === 'ready');
    const startedAt = performance.now();
    load = new ManyRequests(() => app.get('/collections/books'));
    readiness = new Poll(() => app.get('/health/ready'));
    await eventually(() => load.workSince(startedAt, 25) && readiness.workSince(startedAt, 3));
    await eventually(bothReady);

    const downAt = performance.now();
    await begin(server);
    await eventually(() => readiness.sent.at(-1)?.status === 503 && circuit.state === 'open');
    const openedAt = performance.now();
    expect(await app.get('/health/live')).toBe(200);
    await pause(downAt + AWAY_MS - HEALTH_LIMIT_MS - performance.now());
    // From now on nobody asks the application how it is: it heals by itself.
    await readiness.stop();
    // Sooner than it fails to connect.
    await eventually(() => unused.client.pool.state === 'unavailable', SOON_MS);
    await pause(downAt + AWAY_MS - performance.now());
    const endsAt = performance.now();
    await end(server);
    const upAt = performance.now();
    await eventually(() => load.workSince(upAt, 25), RECOVERY_MS);
    await eventually(bothReady, RECOVERY_MS);
    expect(circuit.state).toBe('closed');
    expect(await app.get('/health/ready')).toBe(200);
    await load.stop();

    // It was up, is down once it has noticed, and stays so.
    const answers = readiness.sent.map(({ status }) => status);
    const noticed = answers.indexOf(503);
    expect([...new Set(answers.slice(0, noticed))]).toEqual([200]);
    expect([...new Set(answers.slice(noticed))]).toEqual([503]);

    expect(load.statuses.filter(status => ![200, 503, 504].includes(status as number))).toEqual([]);
    const refused = load.between(openedAt, endsAt).map(({ status }) => status);
    expect(refused.length).toBeGreaterThan(20);
    expect([...new Set(refused)]).toEqual([503]);
    expect(load.longestMs).toBeLessThan(READ_MS + SOON_MS);
    expect(readiness.longestMs).toBeLessThan(HEALTH_LIMIT_MS + SOON_MS);

    expectWholeStory(busy, downAt, endsAt);
    expectWholeStory(unused, downAt, endsAt);
  });
}

/** Each change of the state is told once; it was away, not ready meanwhile, and is ready again. */
function expectWholeStory(watched: WatchedClient, downAt: number, endsAt: number): void {
  const changes = watched.changesSince(downAt);
  const before = ['ready', ...changes.map(({ to }) => to)];
  expect(changes.map(({ from }) => from)).toEqual(before.slice(0, -1));
  expect(changes.filter(({ from, to }) => from === to)).toEqual([]);
  const whileAway = changes.filter(({ atMs }) => atMs < endsAt).map(({ to }) => to);
  expect(whileAway).toContain('unavailable');
  expect(whileAway).not.toContain('ready');
  expect([changes.at(-1)?.to, watched.client.pool.state]).toEqual(['ready', 'ready']);
}

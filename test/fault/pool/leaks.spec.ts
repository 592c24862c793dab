import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  getMilvusToken,
  MilvusModule,
  type MilvusPoolEvent,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import type { MilvusClientOptions } from '../../../lib/options/milvus-client-options.js';
import { bootApp, closeApps, RecordedLog } from '../../support/nest-app.js';
import { eventually, pause } from '../../support/pooled-client.js';
import { StubServer } from '../../support/stub-server.js';

const PATIENT = { timeoutMs: 60_000 };

let stub: StubServer;
let log: RecordedLog;

beforeEach(async () => {
  stub = await StubServer.start();
  log = new RecordedLog();
});

afterEach(async () => {
  await closeApps();
  await stub.stop();
});

async function watched(leakDetection: MilvusClientOptions['leakDetection']) {
  const options = { name: 'search', address: stub.address, leakDetection, shutdown: { drainTimeoutMs: 0 } };
  const app = await bootApp({ imports: [MilvusModule.forRoot(options)] }, { log });
  const { pool } = app.get<PooledMilvusClient>(getMilvusToken('search'));
  const events: MilvusPoolEvent[] = [];
  pool.events$.subscribe(event => events.push(event));
  const reports = () => events.filter(({ type }) => type === 'lease-leaked' || type === 'too-many-leases');
  return { pool, reports };
}

const warnings = () => log.of('search').filter(line => line.startsWith('warn') && /lease/.test(line));

describe('a lease that is held for too long', () => {
  it('is reported once, as an event and a warning, with client, age and who acquired it', async () => {
    const { pool, reports } = await watched({ thresholdMs: 150 });
    const lease = await pool.acquire(PATIENT);
    expect(pool.leaks()).toEqual([]);

    await eventually(() => reports().length > 0);
    await pause(400);

    const [report, ...more] = reports();
    expect(more).toEqual([]);
    if (report?.type !== 'lease-leaked') throw new Error(`reported: ${report?.type}`);
    expect(report.client).toBe('search');
    expect(report.lease).toMatchObject({
      client: 'search',
      stack: expect.stringMatching(/^\s+at .*leaks\.spec/),
    });
    expect(report.lease.ageMs).toBeGreaterThanOrEqual(149);
    expect(Object.isFrozen(report)).toBe(true);
    expect(warnings()).toHaveLength(1);
    expect(warnings()[0]).toMatch(/leaks\.spec/);

    const [listed, ...others] = pool.leaks();
    expect(others).toEqual([]);
    expect(listed).toMatchObject({ client: 'search', stack: report.lease.stack });
    expect(listed!.ageMs).toBeGreaterThan(report.lease.ageMs + 300);
    lease.release();
    expect(pool.leaks()).toEqual([]);
  });

  it('is told of through withConnection too', async () => {
    const { pool, reports } = await watched({ thresholdMs: 100 });
    await pool.withConnection(() => eventually(() => reports().length === 1), PATIENT);

    expect(JSON.stringify(reports())).toContain('leaks.spec');
  });

  it('is no leak when it is given back in time', async () => {
    const { pool, reports } = await watched({ thresholdMs: 5_000 });
    for (let i = 0; i < 20; i++) (await pool.acquire(PATIENT)).release();
    expect([reports(), pool.leaks(), warnings()]).toEqual([[], [], []]);
  });

  it('is not looked for when detection is off, and no stack is captured', async () => {
    const { pool, reports } = await watched(false);
    const capture = jest.spyOn(Error, 'captureStackTrace');
    await pool.acquire(PATIENT);
    const entries = capture.mock.calls.map(([, entry]) => entry);
    capture.mockRestore();
    await pause(150);

    expect(entries).not.toContain(pool.acquire);
    expect([reports(), pool.leaks(), warnings()]).toEqual([[], [], []]);
  });

  it('has its stack captured when detection is on', async () => {
    const { pool } = await watched({ thresholdMs: 60_000 });
    const capture = jest.spyOn(Error, 'captureStackTrace');
    await pool.acquire(PATIENT);
    const entries = capture.mock.calls.map(([, entry]) => entry);
    capture.mockRestore();

    expect(entries).toContain(pool.acquire);
  });
});

describe('more leases than maxHeld', () => {
  it('are reported once, and again only after they were fewer', async () => {
    const { pool, reports } = await watched({ maxHeld: 2 });
    const leases = [await pool.acquire(PATIENT), await pool.acquire(PATIENT)];
    expect(reports()).toEqual([]);

    leases.push(await pool.acquire(PATIENT), await pool.acquire(PATIENT));
    expect(reports()).toMatchObject([{ type: 'too-many-leases', client: 'search', maxHeld: 2 }]);
    const [report] = reports();
    if (report?.type !== 'too-many-leases') throw new Error(`reported: ${report?.type}`);
    expect(report.leases).toHaveLength(3);
    for (const { stack } of report.leases) expect(stack).toContain('leaks.spec');
    expect(warnings()).toHaveLength(1);

    for (const lease of leases) lease.release();
    for (let i = 0; i < 3; i++) await pool.acquire(PATIENT);
    expect(reports()).toHaveLength(2);
    expect(warnings()).toHaveLength(2);
  });
});

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { type ProbeOptions, probe } from '../../../lib/testing/grpc-probe.js';
import type { Certificates } from '../../support/certificates.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { CompiledSources } from '../../testing/node-script.js';
import { isRunning, until } from '../../testing/processes.js';

const UNAUTHENTICATED = 16;

beforeAll(() => MilvusStandalone.install(), 900_000);

/** As `probe`, with a limit that a machine which stalls keeps. */
const ask = (address: string, options?: ProbeOptions, rpc = 'GetVersion') =>
  probe(address, rpc, { timeoutMs: 20_000, ...options });

describe('MilvusStandalone', () => {
  it('keeps a row over a kill and a quick restart, and is gone after stop with its temporary data', async () => {
    const milvus = await MilvusStandalone.start();
    const { address, dataDir } = milvus;
    const first = milvus.pid as number;
    await withClient(address, async client => {
      await client.createCollection({ collection_name: 'rows', dimension: 2, metric_type: 'L2' });
      const { status } = await client.insert({ collection_name: 'rows', data: [{ id: 1, vector: [1, 2] }] });
      expect(status.error_code).toBe('Success');
    });

    await milvus.kill();
    expect(isRunning(first)).toBe(false);
    const killed = performance.now();
    await milvus.restart();

    // 34 s if it had to wait for its former sessions to expire.
    expect(performance.now() - killed).toBeLessThan(30_000);
    expect(milvus.address).toBe(address);
    await withClient(address, async client => {
      await client.loadCollection({ collection_name: 'rows' });
      const { data } = await client.query({
        collection_name: 'rows',
        filter: 'id > 0',
        output_fields: ['id'],
        consistency_level: ConsistencyLevelEnum.Strong,
      });
      expect(data).toEqual([{ id: '1' }]);
    });

    await milvus.stop();
    expect(existsSync(dataDir)).toBe(false);
  });

  it('runs several at once, each as it was asked to', async () => {
    const several = await Promise.all([
      MilvusStandalone.start(),
      MilvusStandalone.start({ auth: true }),
      MilvusStandalone.start({ tls: 'one-way' }),
    ]);
    const [plain, auth, tls] = several;
    await expect(ask(plain.address)).resolves.toMatchObject({ status: 0 });
    await expect(ask(auth.address)).resolves.toMatchObject({ status: UNAUTHENTICATED });
    await expect(ask(tls.address)).rejects.toThrow();
    await Promise.all(several.map(milvus => milvus.stop()));
  });

  it('never removes a data folder that it was given', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'given-'));
    const milvus = await MilvusStandalone.start({ dataDir });
    await milvus.stop();
    expect(existsSync(dataDir)).toBe(true);
    await rm(dataDir, { recursive: true });
  });

  it('takes any setting of milvus.yaml', async () => {
    await using milvus = await MilvusStandalone.start({ config: { 'proxy.maxNameLength': 5 } });
    await withClient(milvus.address, async client => {
      const refusal = await client
        .createCollection({ collection_name: 'longer', dimension: 2, metric_type: 'L2' })
        .catch((error: unknown) => error);
      expect(refusal).toMatchObject({ reason: expect.stringContaining('must be less than 5 characters') });
    });
  });

  it('lets in who has the right password', async () => {
    await using milvus = await MilvusStandalone.start({ auth: true });
    const askAs = (credentials: string) => ask(milvus.address, { credentials }, 'CheckHealth');
    await expect(askAs('root:Milvus')).resolves.toMatchObject({ status: 0 });
    await expect(askAs('root:wrong')).resolves.toMatchObject({ status: UNAUTHENTICATED });
  });

  it('has certificates only with TLS', async () => {
    await using milvus = await MilvusStandalone.start();
    expect(() => milvus.certificates).toThrow('started without `tls`');
  });
});

describe('MilvusStandalone with TLS', () => {
  const asClient = ({ client }: Certificates) => ({ cert: client.cert.pem, key: client.key.pem });

  it('one-way: proves who it is, to all its names', async () => {
    await using milvus = await MilvusStandalone.start({ tls: 'one-way' });
    const { ca, otherCa } = milvus.certificates;
    for (const address of [milvus.address, `localhost:${milvus.port}`]) {
      await expect(ask(address, { tls: { ca: ca.pem } })).resolves.toMatchObject({
        status: 0,
      });
    }
    const asSecondName = ask(milvus.address, { tls: { ca: ca.pem, servername: 'milvus.test' } });
    await expect(asSecondName).resolves.toMatchObject({ status: 0 });
    await expect(ask(milvus.address, { tls: { ca: ca.pem, servername: 'elsewhere.test' } })).rejects.toThrow(
      /altnames/,
    );
    await expect(ask(milvus.address, { tls: { ca: otherCa.pem } })).rejects.toThrow(/unable to verify/);
  });

  it('mutual: demands a certificate of its authority', async () => {
    await using milvus = await MilvusStandalone.start({ tls: 'mutual' });
    const { certificates } = milvus;
    const ca = certificates.ca.pem;
    const askAs = (tls: object) => ask(milvus.address, { tls: { ca, ...tls } });
    await expect(askAs(asClient(certificates))).resolves.toMatchObject({ status: 0 });
    await expect(askAs({})).rejects.toThrow(/alert/);
    const { cert, key } = certificates.otherClient;
    await expect(askAs({ cert: cert.pem, key: key.pem })).rejects.toThrow(/alert/);
  });

  it('comes back after a kill with the same certificates', async () => {
    await using milvus = await MilvusStandalone.start({ tls: 'mutual', auth: true });
    const before = milvus.certificates;
    await milvus.kill();
    await milvus.restart();
    expect(milvus.certificates).toBe(before);
    const tls = { ca: before.ca.pem, ...asClient(before) };
    await expect(
      ask(milvus.address, { tls, credentials: 'root:Milvus' }, 'CheckHealth'),
    ).resolves.toMatchObject({ status: 0 });
  });
});

describe('MilvusStandalone and the process that started it', () => {
  let sources: CompiledSources;
  beforeAll(async () => {
    sources = await CompiledSources.make();
  });
  afterAll(() => sources.remove());

  it('ends with it, even when it is killed, and takes the temporary data along', async () => {
    const parent = sources.run(`
      import { MilvusStandalone } from './test/support/milvus-standalone.js';
      const milvus = await MilvusStandalone.start();
      console.log('pid=' + milvus.pid, 'data=' + milvus.dataDir + ';');
      setInterval(() => {}, 1000);
    `);
    const [, pid, dataDir] = await parent.sees(/pid=(\d+) data=(.*);/);
    expect(isRunning(Number(pid))).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isRunning(Number(pid)));
    await until(() => !existsSync(dataDir as string));
  });
});

async function withClient(address: string, use: (client: MilvusClient) => Promise<void>): Promise<void> {
  const client = new MilvusClient({
    address,
    telemetry: { enabled: false },
    logLevel: 'error',
    // Else grpc-js gives it the connection of the client before, which still backs off from the kill.
    channelOptions: { 'grpc.use_local_subchannel_pool': 1 },
  });
  await client.connectPromise;
  try {
    await use(client);
  } finally {
    await client.closeConnection();
  }
}

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { DataType, MilvusClient } from '@zilliz/milvus2-sdk-node';
import { MilvusLite } from 'nestjs-milvus/testing';
import { freePort } from '../../../lib/testing/free-port.js';
import { probe } from '../../../lib/testing/grpc-probe.js';
import { CompiledSources } from '../../testing/node-script.js';
import { isRunning, processGroupOf, until } from '../../testing/processes.js';

const INSTALL_TIMEOUT_MS = 900_000;

beforeAll(() => MilvusLite.install(), INSTALL_TIMEOUT_MS);

async function answers(milvus: MilvusLite): Promise<boolean> {
  return probe(milvus.address, 'GetVersion', { timeoutMs: 20_000 }).then(
    ({ status }) => status === 0,
    () => false,
  );
}

describe('MilvusLite', () => {
  it('answers as soon as it has started, and is gone after stop with its temporary data', async () => {
    const milvus = await MilvusLite.start();
    const pid = milvus.pid as number;
    expect(milvus.address).toBe(`127.0.0.1:${milvus.port}`);
    expect(await answers(milvus)).toBe(true);
    expect(existsSync(milvus.dataDir)).toBe(true);
    await milvus.stop();
    expect(await answers(milvus)).toBe(false);
    expect(isRunning(pid)).toBe(false);
    expect(milvus.pid).toBe(undefined);
    expect(existsSync(milvus.dataDir)).toBe(false);
    await milvus.stop();
    await milvus.kill();
  });

  it('is a Milvus: a row outlives a kill and a restart, on the same port', async () => {
    await using milvus = await MilvusLite.start();
    const { address, dataDir } = milvus;
    await withClient(address, async client => {
      await client.createCollection({
        collection_name: 'rows',
        fields: [
          { name: 'id', data_type: DataType.Int64, is_primary_key: true },
          { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
        ],
        index_params: [{ field_name: 'vector', index_type: 'AUTOINDEX', metric_type: 'L2' }],
      });
      const { status } = await client.insert({ collection_name: 'rows', data: [{ id: 1, vector: [1, 2] }] });
      expect(status.code).toBe(0);
    });

    await milvus.kill();
    expect(await answers(milvus)).toBe(false);
    await milvus.restart();

    expect([milvus.address, milvus.dataDir]).toEqual([address, dataDir]);
    await withClient(address, async client => {
      await client.loadCollection({ collection_name: 'rows' });
      const { data } = await client.query({
        collection_name: 'rows',
        filter: 'id > 0',
        output_fields: ['id'],
      });
      expect(data).toEqual([{ id: '1' }]);
    });
  });

  it('never removes a data folder that it was given', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'given-'));
    const milvus = await MilvusLite.start({ dataDir });
    await milvus.stop();
    expect(existsSync(dataDir)).toBe(true);
    await rm(dataDir, { recursive: true });
  });

  it('starts several at once', async () => {
    const several = await Promise.all([MilvusLite.start(), MilvusLite.start()]);
    expect(new Set(several.map(({ port }) => port)).size).toBe(2);
    expect(await Promise.all(several.map(answers))).toEqual([true, true]);
    await Promise.all(several.map(milvus => milvus.stop()));
  });

  it('does not share a port with another server, Milvus Lite or not', async () => {
    await using milvus = await MilvusLite.start();
    await expect(MilvusLite.start({ port: milvus.port })).rejects.toThrow(
      `Milvus Lite on port ${milvus.port} exited with code 1 while starting`,
    );
    const other = createServer().listen(await freePort(), '127.0.0.1');
    await once(other, 'listening');
    await expect(MilvusLite.start({ port: (other.address() as { port: number }).port })).rejects.toThrow(
      /failed to bind/i,
    );
    other.close();
  });

  it('runs outside the process group that Ctrl-C goes to', async () => {
    await using milvus = await MilvusLite.start();
    const pid = milvus.pid as number;
    expect(processGroupOf(pid)).toBe(pid);
    expect(processGroupOf(process.pid)).not.toBe(pid);
  });
});

describe('MilvusLite and the process that started it', () => {
  let sources: CompiledSources;
  beforeAll(async () => {
    sources = await CompiledSources.make();
  });
  afterAll(() => sources.remove());

  const START = `
    import { MilvusLite } from './lib/testing/index.js';
    const milvus = await MilvusLite.start();
    console.log('pid=' + milvus.pid, 'data=' + milvus.dataDir + ';');
  `;
  const PRINTED = /pid=(\d+) data=(.*);/;

  it('ends with it, even when it is killed, and takes the temporary data along', async () => {
    const parent = sources.run(`${START} setInterval(() => {}, 1000);`);
    const [, pid, dataDir] = await parent.sees(PRINTED);
    expect(isRunning(Number(pid))).toBe(true);
    parent.kill('SIGKILL');
    await until(() => !isRunning(Number(pid)));
    await until(() => !existsSync(dataDir as string));
  });

  it('does not keep it from ending', async () => {
    const parent = sources.run(START);
    const [, pid, dataDir] = await parent.sees(PRINTED);
    expect((await parent.exit).code).toBe(0);
    await until(() => !isRunning(Number(pid)));
    await until(() => !existsSync(dataDir as string));
  });

  it('leaves nothing open after stop', async () => {
    const { code, output } = await sources.run(`
      ${START}
      await milvus.kill();
      await milvus.restart();
      await milvus.stop();
      const open = process.getActiveResourcesInfo().filter(name => name !== 'PipeWrap' && name !== 'FSReqCallback');
      console.log('open: ' + JSON.stringify(open));
    `).exit;
    expect(output).toContain('open: []');
    expect(code).toBe(0);
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

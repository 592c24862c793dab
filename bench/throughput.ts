// Searches through the plain SDK and through this package, side by side in one run, on a server that answers after a
// fixed time. Usage: npm run bench:throughput -- [seconds per cell]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { PooledMilvusClient } from '../lib/client/pooled-milvus-client.js';
import { resolveClientOptions } from '../lib/options/resolve-options.js';
import { machine } from './machine.js';
import { measureLoad, table } from './measure.js';

Logger.overrideLogger(['error']);

const seconds = Number(process.argv[2] ?? 3);
const vector = Array.from({ length: 768 }, (_, i) => Math.sin(i));
const request = { collection_name: 'bench', data: vector, limit: 10, metric_type: 'COSINE' };

const server = fork(join(import.meta.dirname, 'stub-process.js'));
const [address] = (await once(server, 'message')) as [string];

const plainClient = async (pool?: { min: number; max: number }) => {
  const client = new MilvusClient({ address, logLevel: 'error', ...(pool && { pool }) });
  await client.connectPromise;
  return client;
};
const clients: Array<[string, () => Promise<MilvusClient>]> = [
  ['SDK, default', () => plainClient()],
  ['SDK, pool of 200', () => plainClient({ min: 2, max: 200 })],
  [
    'nestjs-milvus, 1 connection',
    async () =>
      new PooledMilvusClient(
        resolveClientOptions('one', { address, pool: { maxConnections: 1, maxStreamsPerConnection: 1000 } }),
      ),
  ],
  [
    'nestjs-milvus, default',
    async () => new PooledMilvusClient(resolveClientOptions('default', { address })),
  ],
];

const rows: string[][] = [];
for (const delayMs of [0, 20]) {
  server.send(delayMs);
  await once(server, 'message');
  for (const inFlight of [10, 100]) {
    let baseline = 0;
    for (const [name, open] of clients) {
      const client = await open();
      const load = await measureLoad(() => client.search(request), inFlight, seconds * 1000);
      await client.closeConnection();
      baseline ||= load.opsPerSecond;
      rows.push([
        `${delayMs} ms`,
        String(inFlight),
        name,
        load.opsPerSecond.toFixed(0),
        `${(load.opsPerSecond / baseline).toFixed(1)} ×`,
        load.p50Ms.toFixed(1),
        load.p99Ms.toFixed(1),
        load.cpuUsPerCall.toFixed(0),
      ]);
      console.error(rows.at(-1)?.join('  '));
    }
  }
}
server.disconnect();

console.log(`Search of one 768-dimensional vector. ${machine()}\n`);
console.log(
  table(
    ['server time', 'in flight', 'client', 'calls/s', 'to SDK', 'p50 ms', 'p99 ms', 'client CPU µs/call'],
    rows,
  ),
);

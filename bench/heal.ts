// How long after a killed Milvus answers again the clients do: Milvus Lite is killed and started under load, and a
// probe of its own tells when the server is ready. Usage: npm run bench:heal -- [rounds] [seconds of outage]
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { PooledMilvusClient } from '../lib/client/pooled-milvus-client.js';
import { resolveClientOptions } from '../lib/options/resolve-options.js';
import { probe } from '../lib/testing/grpc-probe.js';
import { MilvusLite } from '../lib/testing/index.js';
import { argument } from './arguments.js';
import { machine } from './machine.js';
import { table } from './measure.js';

Logger.overrideLogger(['error']);

const rounds = argument(0, 3, 1);
const outageMs = argument(1, 3, 0.5) * 1000;

/** Calls until one succeeds that began after the server was ready. */
async function firstSuccess(call: () => Promise<unknown>, give: AbortSignal): Promise<number | undefined> {
  while (!give.aborted) {
    try {
      await call();
      return performance.now();
    } catch {
      await sleep(5);
    }
  }
  return undefined;
}

async function serverReady(address: string): Promise<number> {
  for (;;) {
    const ready = await probe(address, 'GetVersion').then(
      ({ status }) => status === 0,
      () => false,
    );
    if (ready) return performance.now();
    await sleep(5);
  }
}

const milvus = await MilvusLite.start();
const { address } = milvus;
const plain = new MilvusClient({ address, logLevel: 'error' });
await plain.connectPromise;
const pooled = ['first', 'second', 'third'].map(
  name => new PooledMilvusClient(resolveClientOptions(name, { address })),
);
const calls: Array<[string, () => Promise<unknown>]> = [
  ...pooled.map(
    client =>
      [`nestjs-milvus, "${client.name}"`, () => client.showCollections()] as [string, () => Promise<unknown>],
  ),
  ['SDK', () => plain.showCollections()],
];
await Promise.all(calls.map(([, call]) => call()));

const rows: string[][] = [];
for (let round = 1; round <= rounds; round++) {
  await milvus.kill();
  const give = AbortSignal.timeout(outageMs + 60_000);
  const waiting = calls.map(([, call]) => firstSuccess(call, give));
  await sleep(outageMs);
  const ready = serverReady(address);
  const restarted = milvus.restart();
  const readyAt = await ready;
  const successes = await Promise.all(waiting);
  await restarted;
  successes.forEach((at, i) => {
    rows.push([
      String(round),
      calls[i]![0],
      at === undefined ? 'none in 60 s' : `${Math.max(0, at - readyAt).toFixed(0)} ms`,
    ]);
  });
}
await Promise.all(pooled.map(client => client.drain()));
await plain.closeConnection();
await milvus.stop();

console.log(
  `Milvus Lite killed, down for ${outageMs} ms and more, started again, under calls. ${machine()}\n`,
);
console.log(table(['round', 'client', 'from server ready to first success'], rows));
process.exit();

// What one more client costs, beside one of the SDK's in the same run: the 2nd to the 1,000th named client of an endpoint, each
// with its own database and token, and clients that `with()` derives. Usage: npm run bench:client-cost -- [rounds] [clients]
import { setImmediate as turn } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { MilvusRegistry, type PooledMilvusClient } from '../lib/index.js';
import { argument, short } from './arguments.js';
import { CannedServer } from './canned-server.js';
import { machine } from './machine.js';
import { percentile, table } from './measure.js';

Logger.overrideLogger(['error']);

const rounds = argument(0, 3, 1);
const clientCount = argument(1, 1_000, 200);
const sdkCount = short ? 5 : 20;
const CALLS_PER_ROUND = 20_000;
const DERIVED = short ? 100_000 : 1_000_000;
/** Every one of so many is watched for being collected. */
const WATCHED_SHARE = 1_000;

const collect = globalThis.gc!;
const searchRequest = { collection_name: 'bench', data: [1, 2, 3, 4], limit: 1 };

/** Of one client, for this process. */
interface Cost {
  cpuMs: number;
  heapKb: number;
}

async function heapBytes(): Promise<number> {
  // What a turn of the loop still holds goes with the next.
  for (let pass = 0; pass < 3; pass++) {
    await turn();
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/** What `work` costs for each of so many. Collected only when asked: that would count, and slow down what comes after. */
async function costOfEach(count: number, weigh: boolean, work: () => Promise<unknown>): Promise<Cost> {
  const heapBefore = weigh ? await heapBytes() : 0;
  const cpuBefore = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(cpuBefore);
  const heap = weigh ? (await heapBytes()) - heapBefore : Number.NaN;
  return { cpuMs: (user + system) / 1000 / count, heapKb: heap / 1024 / count };
}

const tenant = (address: string, index: number) => ({
  address,
  database: `tenant_${index}`,
  token: `key-of-tenant-${index}`,
});

interface Costs {
  made: Cost;
  called: Cost;
}

/** What the clients of one endpoint cost after its first, and what a first call adds to each. */
async function measureOurs(address: string, weigh: boolean): Promise<Costs> {
  const registry = new MilvusRegistry();
  const options = (index: number) => ({ ...tenant(address, index), startup: { mode: 'lazy' as const } });
  const first = await registry.add('tenant_0', options(0));
  await first.search(searchRequest);
  const made = await costOfEach(clientCount - 1, weigh, async () => {
    for (let index = 1; index < clientCount; index++) await registry.add(`tenant_${index}`, options(index));
  });
  const names = registry.list().slice(1);
  const called = await costOfEach(clientCount - 1, weigh, async () => {
    for (const name of names) await registry.get(name).search(searchRequest);
  });
  await registry.close();
  return { made, called };
}

/** What its users write. */
async function measureSdk(address: string, weigh: boolean): Promise<Costs> {
  const clients: MilvusClient[] = [];
  const made = await costOfEach(sdkCount, weigh, async () => {
    for (let index = 0; index < sdkCount; index++) {
      const client = new MilvusClient({ ...tenant(address, index), logLevel: 'error' });
      await client.connectPromise;
      clients.push(client);
    }
  });
  const called = await costOfEach(sdkCount, weigh, async () => {
    for (const client of clients) await client.search(searchRequest);
  });
  for (const client of clients) await client.closeConnection();
  return { made, called };
}

/** Keeps what is made, which the compiler else leaves out. */
const last: { made?: unknown } = {};

function nanosecondsPerCall(call: () => unknown): number {
  const costs = Array.from({ length: short ? 20 : 200 }, () => {
    const startedAt = performance.now();
    for (let calls = 0; calls < CALLS_PER_ROUND; calls++) last.made = call();
    return ((performance.now() - startedAt) * 1e6) / CALLS_PER_ROUND;
  });
  return percentile(
    costs.slice(costs.length / 4).sort((a, b) => a - b),
    0.1,
  );
}

/** How much heap is left of clients that were derived and dropped, and how many of those that are watched are collected. */
async function measureKept(client: PooledMilvusClient): Promise<string> {
  const watched: WeakRef<PooledMilvusClient>[] = [];
  const before = await heapBytes();
  for (let index = 0; index < DERIVED; index++) {
    const derived = client.with({ database: 'tenant_1' });
    if (index % WATCHED_SHARE !== 0) continue;
    // One that has been used, too.
    await derived.search(searchRequest);
    watched.push(new WeakRef(derived));
  }
  const left = (await heapBytes()) - before;
  const kb = Math.max(0, left / 1024).toFixed(0);
  const alive = watched.filter(each => each.deref()).length;
  return `${DERIVED} clients derived and dropped leave ${kb} KB; of ${watched.length} of them, which made a call each, ${alive} are still there.`;
}

/** CPU of the quietest round: what the machine does besides is not what is asked. */
function costs(weighed: Cost, timed: Cost[]): Cost {
  return { cpuMs: Math.min(...timed.map(({ cpuMs }) => cpuMs)), heapKb: weighed.heapKb };
}

const server = await CannedServer.start({ delayMs: 0 });
const { address } = server;

// What is made once in a process is no client's.
const cold = await measureOurs(address, false);
await measureSdk(address, false);
const weighed = { ours: await measureOurs(address, true), sdk: await measureSdk(address, true) };
const timed: { ours: Costs; sdk: Costs }[] = [];
for (let round = 0; round < rounds; round++) {
  // The first after the SDK's clients pays for their garbage.
  await measureOurs(address, false);
  timed.push({ ours: await measureOurs(address, false), sdk: await measureSdk(address, false) });
}

const rows = (['made', 'called'] as const).flatMap(phase => {
  const of = (who: 'ours' | 'sdk') =>
    costs(
      weighed[who][phase],
      timed.map(each => each[who][phase]),
    );
  const [sdk, ours] = [of('sdk'), of('ours')];
  const what =
    phase === 'made'
      ? [`new MilvusClient(), ${sdkCount} of them`, `registry.add(), the 2nd to the ${clientCount}th`]
      : ['first search of each, SDK', 'first search of each, nestjs-milvus'];
  return [sdk, ours].map(({ cpuMs, heapKb }, index) => [
    what[index]!,
    cpuMs.toFixed(3),
    heapKb.toFixed(1),
    index === 0 ? '' : `1/${(sdk.cpuMs / cpuMs).toFixed(0)}`,
    index === 0 ? '' : `1/${(sdk.heapKb / heapKb).toFixed(0)}`,
  ]);
});

console.log(
  `Of one client: CPU in the quietest of ${rounds} rounds, heap that is left after a collection. ${server.description}. ${machine()}\n`,
);
console.log(table(['client', 'CPU ms', 'heap KB', 'CPU to SDK', 'heap to SDK'], rows));
console.log(
  `\nIn a process that has just started, the 2nd to the ${clientCount}th take ${cold.made.cpuMs.toFixed(3)} ms each.`,
);

const registry = new MilvusRegistry();
const client = await registry.add('shared', { ...tenant(address, 0), startup: { mode: 'lazy' } });
const derivations: [string, () => unknown][] = [
  ['with({ database })', () => client.with({ database: 'tenant_1' })],
  ['with({ timeoutMs, database })', () => client.with({ timeoutMs: 1_000, database: 'tenant_1' })],
];
console.log(`\nOf the quietest tenth of rounds of ${CALLS_PER_ROUND}:\n`);
console.log(
  table(
    ['derived client', 'ns'],
    derivations.map(([what, derive]) => [what, nanosecondsPerCall(derive).toFixed(0)]),
  ),
);
console.log(`\n${await measureKept(client)}`);
await registry.close();
server.stop();
process.exit();

// When is one more connection worth it? The same load over exactly 1, 2 and 4 connections, in turns.
// Usage: npm run bench:growth -- [seconds per cell and round] [rounds]
import { Logger } from '@nestjs/common';
import { argument, short } from './arguments.js';
import { openPooled } from './clients.js';
import { machine } from './machine.js';
import { inTurns, measureInTurns, table } from './measure.js';
import { searchRequest } from './milvus-collection.js';
import { onEachCannedServer, onMilvus, type Server } from './servers.js';

Logger.overrideLogger(['error']);

const durationMs = argument(0, 0.5, 0.1) * 1000;
const rounds = argument(1, 10, 1);
const inFlights = short ? [1, 8, 64] : [1, 2, 4, 8, 16, 32, 64, 100];
const connectionCounts = [1, 2, 4];

const rows: string[][] = [];
async function measure({ name, address }: Server): Promise<void> {
  const clients = await Promise.all(
    connectionCounts.map(count =>
      openPooled(address, { minConnections: count, maxConnections: count, maxStreamsPerConnection: 1000 }),
    ),
  );
  for (const inFlight of inFlights) {
    const loads = await measureInTurns(
      clients.map(client => ({ call: () => client.search(searchRequest), inFlight, durationMs })),
      rounds,
    );
    const [one] = loads;
    rows.push([
      name,
      String(inFlight),
      ...loads.map(load => load.opsPerSecond.toFixed(0)),
      ...loads.slice(1).map(load => `${(load.opsPerSecond / one!.opsPerSecond).toFixed(2)} ×`),
      loads.map(load => load.p50Ms.toFixed(1)).join(' / '),
      loads.map(load => load.p99Ms.toFixed(1)).join(' / '),
      loads.map(load => load.cpuUsPerCall.toFixed(0)).join(' / '),
    ]);
    console.error(rows.at(-1)?.join('  '));
  }
  await Promise.all(clients.map(client => client.drain()));
}

const canned = await onEachCannedServer([{ delayMs: 0 }, { delayMs: 5 }], measure);
const milvus = await onMilvus(measure);

console.log(
  `Search of one 768-dimensional vector over 1, 2 and 4 connections. ${inTurns(rounds, durationMs)}. ${canned} ${milvus} ${machine()}\n`,
);
console.log(
  table(
    [
      'server',
      'in flight',
      ...connectionCounts.map(count => `calls/s, ${count}`),
      ...connectionCounts.slice(1).map(count => `${count} to 1`),
      'p50 ms, 1 / 2 / 4',
      'p99 ms, 1 / 2 / 4',
      'client CPU µs/call, 1 / 2 / 4',
    ],
    rows,
  ),
);
process.exit();

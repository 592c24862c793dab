// How long the slowest calls take beside the median one, through the plain SDK and through this package, in turns.
// Usage: npm run bench:tail -- [seconds per cell and round] [rounds]
import { Logger } from '@nestjs/common';
import { argument } from './arguments.js';
import { ours, sdk } from './clients.js';
import { machine } from './machine.js';
import { inTurns, measureInTurns, table } from './measure.js';
import { searchRequest } from './milvus-collection.js';
import { onEachCannedServer, onMilvus, type Server } from './servers.js';

Logger.overrideLogger(['error']);

const durationMs = argument(0, 1, 0.2) * 1000;
const rounds = argument(1, 10, 1);
const contenders = [
  sdk('SDK, default'),
  sdk('SDK, pool of 200', { min: 2, max: 200 }),
  ours('nestjs-milvus, default'),
  ours('nestjs-milvus, 1 connection', { maxConnections: 1, maxStreamsPerConnection: 1000 }),
];

const rows: string[][] = [];
async function measure(server: Server): Promise<void> {
  const clients = await Promise.all(contenders.map(contender => contender.open(server.address)));
  for (const inFlight of [100, 500]) {
    const loads = await measureInTurns(
      clients.map(client => ({ call: () => client.search(searchRequest), inFlight, durationMs })),
      rounds,
    );
    for (const [index, { name }] of contenders.entries()) {
      const { opsPerSecond, p50Ms, p99Ms, overtakenBy } = loads[index]!;
      rows.push([
        server.name,
        String(inFlight),
        name,
        opsPerSecond.toFixed(0),
        p50Ms.toFixed(1),
        p99Ms.toFixed(1),
        `${(p99Ms / p50Ms).toFixed(1)} ×`,
        overtakenBy.toFixed(0),
      ]);
      console.error(rows.at(-1)?.join('  '));
    }
  }
  await Promise.all(clients.map(client => client.closeConnection()));
}

// Of a server with a small window requests leave piecemeal: who is fair shows there.
const canned = await onEachCannedServer([{ delayMs: 0 }, { delayMs: 0, window: 64 * 1024 }], measure);
const milvus = await onMilvus(measure);

console.log(
  `Search of one 768-dimensional vector. ${inTurns(rounds, durationMs)}. ${canned} ${milvus} ${machine()}\n`,
);
console.log(
  table(
    [
      'server',
      'in flight',
      'client',
      'calls/s',
      'p50 ms',
      'p99 ms',
      'p99 to p50',
      'a call was overtaken by, at most',
    ],
    rows,
  ),
);
process.exit();

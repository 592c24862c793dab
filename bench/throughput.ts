// Searches through the plain SDK and through this package, side by side in one run, on a server that answers after a
// fixed time. Usage: npm run bench:throughput -- [seconds per cell and round] [rounds]
import { Logger } from '@nestjs/common';
import { argument } from './arguments.js';
import { ours, sdk } from './clients.js';
import { machine } from './machine.js';
import { inTurns, measureInTurns, table } from './measure.js';
import { searchRequest } from './milvus-collection.js';
import { onEachCannedServer } from './servers.js';

Logger.overrideLogger(['error']);

const durationMs = argument(0, 1, 0.2) * 1000;
const rounds = argument(1, 10, 1);
const contenders = [
  sdk('SDK, default'),
  sdk('SDK, pool of 200', { min: 2, max: 200 }),
  ours('nestjs-milvus, 1 connection', { maxConnections: 1, maxStreamsPerConnection: 1000 }),
  ours('nestjs-milvus, default'),
];

const rows: string[][] = [];
const canned = await onEachCannedServer([{ delayMs: 0 }, { delayMs: 20 }], async server => {
  const clients = await Promise.all(contenders.map(contender => contender.open(server.address)));
  for (const inFlight of [10, 100]) {
    const loads = await measureInTurns(
      clients.map(client => ({ call: () => client.search(searchRequest), inFlight, durationMs })),
      rounds,
    );
    const [baseline] = loads;
    for (const [index, { name }] of contenders.entries()) {
      const { opsPerSecond, p50Ms, p99Ms, cpuUsPerCall } = loads[index]!;
      rows.push([
        server.name,
        String(inFlight),
        name,
        opsPerSecond.toFixed(0),
        `${(opsPerSecond / baseline!.opsPerSecond).toFixed(1)} ×`,
        p50Ms.toFixed(1),
        p99Ms.toFixed(1),
        cpuUsPerCall.toFixed(0),
      ]);
      console.error(rows.at(-1)?.join('  '));
    }
  }
  await Promise.all(clients.map(client => client.closeConnection()));
});

console.log(`Search of one 768-dimensional vector. ${inTurns(rounds, durationMs)}. ${canned} ${machine()}\n`);
console.log(
  table(
    ['server time', 'in flight', 'client', 'calls/s', 'to SDK', 'p50 ms', 'p99 ms', 'client CPU µs/call'],
    rows,
  ),
);
process.exit();

// What a pool of each size carries when there is more to do than it can: connections × streams (calls at once on each).
// Usage: npm run bench:sizing -- [seconds per cell and round] [rounds] [callers]
import { Logger } from '@nestjs/common';
import { argument, short } from './arguments.js';
import { openPooled } from './clients.js';
import { machine } from './machine.js';
import { inTurns, type Load, measureInTurns, table } from './measure.js';
import { searchRequest } from './milvus-collection.js';
import { onEachCannedServer, onMilvus, type Server } from './servers.js';

Logger.overrideLogger(['error']);

const durationMs = argument(0, 0.6, 0.1) * 1000;
const rounds = argument(1, 6, 1);
const callers = argument(2, 500, 100);
const delaysMs = short ? [0, 5] : [0, 5, 20, 100];
const connectionCounts = short ? [1, 4] : [1, 2, 4, 8];
const streamCounts = short ? [10, 100] : [10, 50, 100, 500];

const sizes = connectionCounts.flatMap(connections =>
  streamCounts.map(streams => ({ connections, streams })),
);
const names: string[] = [];
const columns: Load[][] = [];

async function measure({ name, delayMs, address }: Server): Promise<void> {
  const pools = sizes.map(({ connections, streams }) => ({
    minConnections: connections,
    maxConnections: connections,
    maxStreamsPerConnection: streams,
    maxPending: callers,
    acquireTimeoutMs: 60_000,
  }));
  const clients = await Promise.all(pools.map(pool => openPooled(address, pool)));
  const loads = clients.map((client, index) => {
    const { connections, streams } = sizes[index]!;
    // One turn of all callers: where it takes long, the line has to fill first.
    const turnMs = (callers / Math.min(callers, connections * streams)) * delayMs;
    return {
      call: () => client.search(searchRequest),
      inFlight: callers,
      durationMs: Math.max(durationMs, turnMs),
      warmUpMs: Math.max(durationMs / 5, turnMs),
    };
  });
  const measured = await measureInTurns(loads, rounds);
  names.push(name);
  columns.push(measured);
  console.error(`${name}: ${measured.map(show).join('; ')}`);
  await Promise.all(clients.map(client => client.drain()));
}

function show({ opsPerSecond, p99Ms }: Load): string {
  return `${opsPerSecond.toFixed(0)}, ${p99Ms.toFixed(0)} ms`;
}

const canned = await onEachCannedServer(
  delaysMs.map(delayMs => ({ delayMs })),
  measure,
);
const milvus = await onMilvus(measure);

console.log(
  `Search of one 768-dimensional vector for ${callers} callers: calls/s and p99, waiting for room included. ` +
    `${inTurns(rounds, durationMs)}, longer where a turn of all callers is. ${canned} ${milvus} ${machine()}\n`,
);
console.log(
  table(
    ['connections × streams', ...names],
    sizes.map(({ connections, streams }, index) => [
      `${connections} × ${streams}`,
      ...columns.map(column => show(column[index]!)),
    ]),
  ),
);
process.exit();

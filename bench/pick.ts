// What finding a connection costs a call: `acquire` on connections without a wire, and the choice alone, beside a loop
// that finds nothing. Usage: npm run bench:pick -- [rounds]
import { Logger } from '@nestjs/common';
import { resolveClientOptions } from '../lib/options/resolve-options.js';
import { ConnectionPool } from '../lib/pool/connection-pool.js';
import { leastBusy, Member } from '../lib/pool/member.js';
import { FakeConnection } from '../test/support/fake-connection.js';
import { argument } from './arguments.js';
import { machine } from './machine.js';
import { percentile, table } from './measure.js';

Logger.overrideLogger(['error']);

const rounds = argument(0, 200, 20);
const CALLS_PER_ROUND = 20_000;
const noObserver = {
  stateChanged() {},
  connectionOpened() {},
  connectionClosed() {},
  connectFailed() {},
};

/** As many connections as the pool may have, each with a few calls. */
function busyConnections(count: number): FakeConnection[] {
  return Array.from({ length: count }, (_, index) => {
    const connection = new FakeConnection();
    for (let calls = 0; calls <= (index * 7) % 5; calls++) connection.send();
    return connection;
  });
}

async function openPool(connections: FakeConnection[]): Promise<ConnectionPool<FakeConnection>> {
  const { length } = connections;
  const { endpoint } = resolveClientOptions('bench', {
    address: 'memory:1',
    pool: { minConnections: length, maxConnections: length },
  });
  const pool = new ConnectionPool(endpoint.pool, async () => connections.shift()!, noObserver);
  pool.start();
  while (pool.stats().connections.size < length) await new Promise(setImmediate);
  return pool;
}

/** Of the quietest rounds: what the machine does besides is not what is asked. */
function nanosecondsPerCall(run: (calls: number) => void): number {
  const costs = Array.from({ length: rounds }, () => {
    const startedAt = performance.now();
    run(CALLS_PER_ROUND);
    return ((performance.now() - startedAt) * 1e6) / CALLS_PER_ROUND;
  });
  return percentile(
    costs.slice(rounds / 4).sort((a, b) => a - b),
    0.1,
  );
}

let used = 0;
const newUser = () => ({
  use: () => {
    used++;
  },
  fail: () => {
    throw new Error('there is room for all');
  },
});

const rows: string[][] = [];
for (const count of [1, 2, 4, 8, 64]) {
  const connections = busyConnections(count);
  const members = connections.map(
    connection => new Member(connection, 0, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY),
  );
  const pool = await openPool([...connections]);
  const empty = nanosecondsPerCall(calls => {
    for (let call = 0; call < calls; call++) newUser().use();
  });
  const choice = nanosecondsPerCall(calls => {
    for (let call = 0; call < calls; call++) if (leastBusy(members)) newUser().use();
  });
  const acquire = nanosecondsPerCall(calls => {
    for (let call = 0; call < calls; call++) pool.acquire(newUser(), 1_000);
  });
  rows.push([String(count), ...[empty, choice - empty, acquire - empty].map(ns => ns.toFixed(1))]);
}

console.log(
  `Nanoseconds per call, on top of a loop that finds nothing; the quietest tenth of ${rounds} rounds of ${CALLS_PER_ROUND}. ${used > 0 ? machine() : ''}\n`,
);
console.log(table(['connections', 'the loop', 'least in flight', 'the whole acquire'], rows));
process.exit();

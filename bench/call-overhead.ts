// What a call costs on top of the SDK's own method: both on the same transport, which answers at once from memory, turn
// by turn in one run. Usage: npm run bench:call-overhead -- [rounds]
import { Logger } from '@nestjs/common';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { internals } from '../lib/client/client-internals.js';
import { PooledMilvusClient } from '../lib/client/pooled-milvus-client.js';
import { milvusService } from '../lib/client/rpc-channel.js';
import type { Rpc } from '../lib/endpoint/rpc.js';
import { resolveClientOptions } from '../lib/options/resolve-options.js';
import { defaultAnswer, milvusService as definitions } from '../test/support/stub-answers.js';
import { argument } from './arguments.js';
import { machine } from './machine.js';
import { percentile, table } from './measure.js';

Logger.overrideLogger(['error']);

const rounds = argument(0, 300, 20);
const CALLS_PER_ROUND = 200;

/** Encoded once; decoded for each call, as from the wire. */
const answers = new Map<string, Buffer>();

async function answer({ method, request }: Rpc): Promise<object> {
  method.serialize(request);
  let bytes = answers.get(method.name);
  if (!bytes) {
    const definition = definitions[method.name]!;
    bytes = definition.responseSerialize(defaultAnswer(method.name, request as never));
    answers.set(method.name, bytes);
  }
  return method.deserialize(bytes);
}

const plain = new MilvusClient({
  address: 'memory:1',
  __SKIP_CONNECT__: true,
  pool: { min: 0, max: 1 },
  telemetry: { enabled: false },
  logLevel: 'error',
});
const { Channel } = milvusService(plain);
plain.channelPool = new Channel((rpc, done) =>
  answer(rpc).then(message => done(null, message), done),
) as never;

const pooled = new PooledMilvusClient(resolveClientOptions('bench', { address: 'memory:1' }));
pooled[internals].runtime.endpoint.gateway.send = answer;

const { signal } = new AbortController();
const vector = Array.from({ length: 128 }, (_, i) => Math.sin(i));
const works: Array<[string, (client: MilvusClient) => Promise<unknown>]> = [
  ['getVersion', client => client.getVersion()],
  ['query', client => client.query({ collection_name: 'bench', filter: 'id > 0' })],
  ['search, 128 dimensions', client => client.search({ collection_name: 'bench', data: vector })],
  [
    'insert, one row',
    client => client.insert({ collection_name: 'bench', data: [{ id: 1, vector: [1, 2, 3, 4] }] }),
  ],
];
const clients: Array<[string, (work: (client: MilvusClient) => Promise<unknown>) => Promise<unknown>]> = [
  ['SDK', work => work(plain)],
  ['nestjs-milvus', work => work(pooled)],
  [
    'nestjs-milvus, with({ timeoutMs, signal }) each time',
    work => work(pooled.with({ timeoutMs: 1_000, signal })),
  ],
];

const rows: string[][] = [];
for (const [what, work] of works) {
  const microseconds = clients.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, [, call]] of clients.entries()) {
      const startedAt = performance.now();
      for (let calls = 0; calls < CALLS_PER_ROUND; calls++) await call(work);
      microseconds[index]!.push(((performance.now() - startedAt) * 1000) / CALLS_PER_ROUND);
    }
  }
  // Of the quietest rounds: what the machine does besides is not what is asked.
  const quiet = microseconds.map(each =>
    percentile(
      each.slice(rounds / 4).sort((a, b) => a - b),
      0.1,
    ),
  );
  for (const [index, [name]] of clients.entries()) {
    const [baseline] = quiet;
    const cost = quiet[index]!;
    rows.push([
      what,
      name,
      cost.toFixed(1),
      index === 0 ? '' : (cost - baseline!).toFixed(1),
      `${(cost / baseline!).toFixed(2)} ×`,
    ]);
  }
}

console.log(
  `One call after the other, the quietest tenth of ${rounds} rounds of ${CALLS_PER_ROUND}. ${machine()}\n`,
);
console.log(table(['method', 'client', 'µs/call', 'on top', 'to SDK'], rows));

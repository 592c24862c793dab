// What an outage costs and how soon it is over: a server goes away under steady calls, in two ways, and comes back.
// Usage: npm run bench:outage -- [rounds] [seconds of outage] [--short]
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { PooledMilvusClient } from '../lib/client/pooled-milvus-client.js';
import { resolveClientOptions } from '../lib/options/resolve-options.js';
import { ANY, hang, StubServer } from '../test/support/stub-server.js';
import { argument } from './arguments.js';
import { machine } from './machine.js';
import { percentile, table } from './measure.js';

Logger.overrideLogger(['error']);
// A client of the SDK whose server is away rejects promises that nobody can listen to.
process.on('unhandledRejection', () => {});

const rounds = argument(0, 3, 1);
const outageMs = argument(1, 10, 3) * 1_000;
/** Of each client. */
const CALLS_PER_SECOND = 200;
const LIMIT_MS = 1_000;
/** A failure that took no longer than this did not wait for anything. */
const FAST_US = 10_000;
/** What is in flight when the server goes away ends within this. */
const NOTICE_MS = 3 * LIMIT_MS;

interface Client {
  name: string;
  call(): Promise<unknown>;
  close(): Promise<unknown>;
}

async function ours(address: string): Promise<Client> {
  const options = { address, timeouts: { readMs: LIMIT_MS }, pool: { acquireTimeoutMs: LIMIT_MS } };
  const client = new PooledMilvusClient(resolveClientOptions('bench', options));
  const call = () => client.getLoadState({ collection_name: 'c' });
  await call();
  return { name: 'nestjs-milvus', call, close: () => client.drain({ timeoutMs: 0 }) };
}

async function sdk(address: string): Promise<Client> {
  const client = new MilvusClient({ address, logLevel: 'error', timeout: LIMIT_MS });
  await client.connectPromise;
  const call = () => client.getLoadState({ collection_name: 'c', timeout: LIMIT_MS });
  return { name: 'SDK', call, close: () => client.closeConnection() };
}

const faults = {
  'refused port': { begin: (stub: StubServer) => stub.stop(), end: (stub: StubServer) => stub.restart() },
  'accepts and hangs': {
    begin: (stub: StubServer) => stub.always(ANY, hang()),
    end: (stub: StubServer) => stub.behave(),
  },
};

interface Figures {
  /** From the call to its failure, once the outage is noticed. */
  failureUs: number;
  /** As that, of calls that are made one after the other, where they fail fast. */
  inARowUs: number | undefined;
  sendsPerSecond: number;
  recoveryMs: number | undefined;
}

class Load {
  readonly failuresMs: number[] = [];
  private readonly timer: NodeJS.Timeout;
  private readonly startedAt = performance.now();
  private made = 0;

  constructor(private readonly client: Client) {
    this.timer = setInterval(() => {
      const due = Math.floor(((performance.now() - this.startedAt) * CALLS_PER_SECOND) / 1_000);
      for (; this.made < due; this.made++) void this.call();
    }, 5);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async call(): Promise<void> {
    const startedAt = performance.now();
    try {
      await this.client.call();
      this.onSuccess(startedAt);
    } catch {
      this.failuresMs.push(performance.now() - startedAt);
    }
  }

  /** Resolves with the time of the first success of a call that begins from now on. */
  firstSuccess(limitMs: number): Promise<number | undefined> {
    const from = performance.now();
    return new Promise(resolve => {
      const limit = setTimeout(() => resolve(undefined), limitMs);
      this.onSuccess = startedAt => {
        if (startedAt < from) return;
        clearTimeout(limit);
        resolve(performance.now());
      };
    });
  }

  private onSuccess: (startedAt: number) => void = () => {};
}

async function measure(
  open: (address: string) => Promise<Client>,
  { begin, end }: (typeof faults)[keyof typeof faults],
): Promise<Figures & { name: string }> {
  const stub = await StubServer.start();
  const client = await open(stub.address);
  const load = new Load(client);
  await sleep(500);
  await begin(stub);
  await sleep(NOTICE_MS);
  stub.resetCounts();
  load.failuresMs.length = 0;
  await sleep(outageMs);
  const sendsPerSecond = stub.count('GetLoadState') / (outageMs / 1_000);
  const failureUs =
    1_000 *
    percentile(
      [...load.failuresMs].sort((a, b) => a - b),
      0.5,
    );
  const inARowUs = failureUs < FAST_US ? await inARow(client) : undefined;
  await end(stub);
  const upAt = performance.now();
  const successAt = await load.firstSuccess(60_000);
  load.stop();
  // What is under way ends within its limit.
  await sleep(LIMIT_MS + 200);
  await client.close();
  await stub.stop();
  return {
    name: client.name,
    failureUs,
    inARowUs,
    sendsPerSecond,
    recoveryMs: successAt && successAt - upAt,
  };
}

/** The median, in µs. */
async function inARow({ call }: Client): Promise<number> {
  const took: number[] = [];
  for (let made = 0; made < 2_000; made++) {
    const startedAt = performance.now();
    await call().catch(() => {});
    took.push(performance.now() - startedAt);
  }
  return (
    1_000 *
    percentile(
      took.sort((a, b) => a - b),
      0.5,
    )
  );
}

const rows: string[][] = [];
for (let round = 1; round <= rounds; round++) {
  for (const [name, fault] of Object.entries(faults)) {
    for (const open of [ours, sdk]) {
      const { name: client, recoveryMs, failureUs, inARowUs, sendsPerSecond } = await measure(open, fault);
      const recovery = recoveryMs === undefined ? 'none in 60 s' : `${recoveryMs.toFixed(0)} ms`;
      const fast = `${failureUs.toFixed(0)} µs; in a row ${inARowUs?.toFixed(0)} µs`;
      const failure = inARowUs === undefined ? `${(failureUs / 1_000).toFixed(0)} ms` : fast;
      rows.push([name, String(round), client, recovery, failure, sendsPerSecond.toFixed(1)]);
    }
  }
}

console.log(
  `${CALLS_PER_SECOND} calls/s with a limit of ${LIMIT_MS} ms each; the server is away for ${(NOTICE_MS + outageMs) / 1_000} s, measured but for the first ${NOTICE_MS / 1_000} s. ${machine()}\n`,
);
console.log(
  table(
    [
      'outage',
      'round',
      'client',
      'from its return to the first success',
      'a failure takes (median)',
      'calls sent to it, per s',
    ],
    rows,
  ),
);
process.exit();

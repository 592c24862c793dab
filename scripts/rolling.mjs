// `npm run rolling`: two instances of the sample app on Milvus Lite, behind a proxy that follows their readiness, are
// replaced again and again under load, as a Kubernetes Deployment of two replicas with maxSurge 1 and maxUnavailable 0
// does it. Fails unless every request was answered with 2xx, every instance ended with exit code 0, and none left a
// connection to Milvus.
//
// `-- --rollings 20` for more than 2 of them; `-- --grace-ms 0` for instances that close HTTP at once on SIGTERM, so
// that requests fail.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MilvusLite } from '../dist/testing/index.js';
import { ask } from '../sample-app/test/http-load.mjs';
import { killAll } from './package-check/child.mjs';
import { Instance } from './rolling/instance.mjs';
import { startLoad } from './rolling/load.mjs';
import { ReadinessProxy } from './rolling/proxy.mjs';
import { strayConnections } from './rolling/sockets.mjs';

const root = join(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    rollings: { type: 'string', default: '2' },
    // Longer than a machine may stall, so that the proxy hears of the end before HTTP closes.
    'grace-ms': { type: 'string', default: '3000' },
  },
});
const rollings = Number(values.rollings);

const CONNECTIONS = 4;
const PATHS = ['vector', 'text', 'hybrid'].map(mode => `/search?q=connection+pool&mode=${mode}`);
/** For the end of a connection to reach both of its sides. */
const CLOSE_MS = 2_000;
const FAILURES_SHOWN = 20;
const LIMIT_MS = 120_000 + rollings * 60_000;

const proxy = new ReadinessProxy();
const faults = [];
let milvus;
let load;
let started = 0;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => stop(`stopped by ${signal}`));
setTimeout(() => stop(`took longer than ${LIMIT_MS / 1000} s`), LIMIT_MS).unref();

try {
  await run();
} catch (error) {
  faults.push(error.message);
}
await cleanUp();
if (faults.length > 0) {
  for (const fault of faults.slice(0, FAILURES_SHOWN)) console.error(`rolling: FAILED ${fault}`);
  if (faults.length > FAILURES_SHOWN) console.error(`rolling: … and ${faults.length - FAILURES_SHOWN} more`);
}
process.exit(faults.length > 0 ? 1 : 0);

async function run() {
  milvus = await MilvusLite.start({ log: line => console.log(`rolling: ${line}`) });
  const url = await proxy.listen();
  let instances = [await startInstance(), await startInstance()];
  const ingest = await ask(`${url}/ingest`, { method: 'POST' });
  if (ingest.status !== 200) throw new Error(`POST /ingest: ${ingest.error ?? ingest.status}`);
  const servedBefore = proxy.served;

  load = startLoad(url, { paths: PATHS, connections: CONNECTIONS });
  for (let turn = 1; turn <= rollings; turn++) instances = await roll(instances, turn);
  const figures = await load.stop();

  faults.push(...proxy.failures, ...load.failures);
  const answered = figures['2xx'];
  // autocannon does not report a connection that ends in the middle of a request. Those of its own end are missing too.
  const missing = proxy.served - servedBefore - answered;
  if (missing > CONNECTIONS) faults.push(`${missing} answers did not reach the load`);
  const failed = proxy.failures.length + load.failures.length;
  console.log(
    `rolling: ${rollings} rollings, ${answered} requests answered, ${failed} failed, ` +
      `${Math.round(answered / figures.duration)} requests/s, p50 ${figures.latency.p50} ms, p99 ${figures.latency.p99} ms`,
  );
  await endAll(instances);
}

/** Starts one more, then ends one, and again; as in Kubernetes the next start does not wait for the end. */
async function roll(instances, turn) {
  const begun = performance.now();
  const before = { served: proxy.served, failures: proxy.failures.length + load.failures.length };
  const replacements = [];
  const ends = [];
  for (const instance of instances) {
    replacements.push(await startInstance());
    ends.push(instance.end());
  }
  const left = await checkEnds(ends, replacements);
  const failed = proxy.failures.length + load.failures.length - before.failures;
  console.log(
    `rolling ${turn}: ${instances.length} instances replaced in ${((performance.now() - begun) / 1000).toFixed(1)} s, ` +
      `${proxy.served - before.served} requests answered, ${failed} failed, longest ${Math.round(load.takeLongestMs())} ms, ` +
      `connections to Milvus left: ${left ?? 'not known here'}`,
  );
  return replacements;
}

async function endAll(instances) {
  await checkEnds(
    instances.map(each => each.end()),
    [],
  );
}

/** Waits for the ends of some instances while others live on. Resolves with the number of connections they left. */
async function checkEnds(ends, alive) {
  faults.push(...(await Promise.all(ends)).filter(Boolean));
  const port = Number(milvus.address.split(':').at(-1));
  const pids = [process.pid, ...alive.map(({ pid }) => pid)];
  const deadline = performance.now() + CLOSE_MS;
  let left = await strayConnections(port, pids);
  while (left?.length > 0 && performance.now() < deadline) {
    await sleep(50);
    left = await strayConnections(port, pids);
  }
  faults.push(...(left ?? []).map(each => `a connection to Milvus is left: ${each}`));
  return left?.length;
}

function startInstance() {
  started += 1;
  return Instance.start(`instance ${started}`, {
    root,
    proxy,
    env: { MILVUS_ADDRESS: milvus.address, READINESS_GRACE_MS: values['grace-ms'], CORPUS_LIMIT: '200' },
  });
}

async function stop(reason) {
  console.error(`rolling: ${reason}`);
  await cleanUp();
  process.exit(1);
}

async function cleanUp() {
  proxy.close();
  await killAll();
  await milvus?.stop();
}

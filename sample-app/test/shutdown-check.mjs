// Runs an application as a process, puts it under load, sends SIGTERM in the middle and reports what became of every
// request. Plain JavaScript, so that a script can point it at the sample wherever it is installed.
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { ask, startLoad } from './http-load.mjs';

const READINESS = '/health/ready';
const LIVENESS = '/health/live';
const START_MS = 60_000;
const END_MS = 60_000;

/**
 * @param {import('./shutdown-check.mjs').ShutdownCheckOptions} options
 * @returns {Promise<import('./shutdown-check.mjs').ShutdownReport>}
 */
export async function checkShutdown(options) {
  const { cwd, command, baseUrl, env = {}, requests, prepare = [], clients = 8, loadMs = 2_000 } = options;
  const folder = await mkdtemp(join(tmpdir(), 'shutdown-check-'));
  const countFile = join(folder, 'count.json');
  const counter = pathToFileURL(join(import.meta.dirname, 'count-requests.mjs')).href;
  const child = spawn(command[0], command.slice(1), {
    cwd,
    env: { ...process.env, ...env, NODE_OPTIONS: `--import ${counter}`, REQUEST_COUNT_FILE: countFile },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', chunk => {
      output += chunk;
    });
  }
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, exitSignal) => resolve({ exitCode, exitSignal }));
  });
  ended.catch(() => undefined);
  try {
    const before = await waitUntilLive(baseUrl, child, ended);
    for (const { method, path } of prepare) {
      const outcome = await ask(baseUrl + path, { method });
      if (outcome.status !== 200) throw new Error(`${method} ${path}: ${outcome.error ?? outcome.status}`);
      before.push(outcome);
    }
    const load = startLoad(
      requests.map(path => baseUrl + path),
      clients,
    );
    const probe = startLoad([baseUrl + READINESS], 1);
    await sleep(loadMs);
    const inFlightAtSignal = load.inFlight;
    const signalAt = performance.now();
    child.kill('SIGTERM');
    // Somebody is impatient: a second one must change nothing.
    await Promise.race([sleep(300), ended]);
    child.kill('SIGTERM');
    const end = await within(END_MS, 'the application to end after SIGTERM', ended);
    const shutdownMs = performance.now() - signalAt;
    await Promise.all([load.done, probe.done]);
    // Without an exit of its own, as by the signal, the process wrote none; that it had none is a fault already.
    const counts = JSON.parse(await readFile(countFile, 'utf8').catch(() => '{}'));
    const outcomes = [...before, ...load.outcomes, ...probe.outcomes];
    const report = { ...end, ...counts, outcomes, signalAt, shutdownMs, inFlightAtSignal, output };
    return { ...report, faults: findFaults(report) };
  } catch (error) {
    error.message += `\nOutput of the application:\n${output}`;
    throw error;
  } finally {
    child.kill('SIGKILL');
    await ended.catch(() => undefined);
    await rm(folder, { recursive: true, force: true });
  }
}

async function waitUntilLive(baseUrl, child, ended) {
  const deadline = performance.now() + START_MS;
  let over = false;
  const markOver = () => {
    over = true;
  };
  ended.then(markOver, markOver);
  while (!over && performance.now() < deadline) {
    const outcome = await ask(baseUrl + LIVENESS);
    if (outcome.status === 200) return [outcome];
    await sleep(50);
  }
  throw new Error(
    over
      ? `The application ended (${child.exitCode ?? child.signalCode}) instead of starting`
      : 'Not live in time',
  );
}

function within(limitMs, what, work) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${limitMs} ms for ${what}`)), limitMs);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

/** What a graceful shutdown promises and this one broke, in words; nothing when it was one. */
function findFaults({ exitCode, exitSignal, accepted, outcomes, signalAt, inFlightAtSignal }) {
  const faults = [];
  if (exitCode !== 0) faults.push(`ended with ${exitCode ?? exitSignal}, not with exit code 0`);

  const answers = outcomes.filter(({ status }) => status !== undefined);
  if (accepted !== undefined && answers.length !== accepted) {
    faults.push(`accepted ${accepted} requests, of which ${answers.length} were answered`);
  }
  for (const { path, error, onUsedConnection, sentAt } of outcomes) {
    if (error && onUsedConnection) {
      faults.push(`${path}, sent ${since(signalAt, sentAt)} on a kept-alive connection: ${error}`);
    }
  }
  for (const { path, status, sentAt } of answers) {
    if (status >= 300 && !(path === READINESS && status === 503)) {
      faults.push(`${path}, sent ${since(signalAt, sentAt)}: answered ${status}`);
    }
  }

  const readiness = answers.filter(({ path }) => path === READINESS);
  const firstDown = readiness.find(({ status }) => status === 503);
  if (!firstDown) faults.push('readiness never answered 503');
  else {
    if (firstDown.answeredAt < signalAt) faults.push('readiness answered 503 before SIGTERM');
    if (readiness.some(({ status, sentAt }) => status === 200 && sentAt > firstDown.answeredAt)) {
      faults.push('readiness answered 200 again after 503');
    }
    const served = answers.filter(each => each.path !== READINESS && each.sentAt > firstDown.answeredAt);
    if (served.length === 0) faults.push('HTTP served nothing between the first 503 and its end');
  }
  if (inFlightAtSignal === 0) faults.push('no request was in flight at SIGTERM: this run shows nothing');
  return faults;
}

function since(signalAt, time) {
  return `${Math.round(time - signalAt)} ms after SIGTERM`;
}

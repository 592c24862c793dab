// `npm run demo` on a fresh clone: installs, builds, starts Milvus Lite (or uses MILVUS_ADDRESS) and the sample app, ingests,
// searches over HTTP, and leaves the app running until Ctrl-C. `npm run demo -- --once` ends by itself.
// Nothing but Node is imported before everything is installed.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const root = join(import.meta.dirname, '..');
const once = process.argv.includes('--once');
const isWindows = process.platform === 'win32';

const SAME_SIGNAL_MS = 500;
const APP_START_MS = 60_000;
const APP_END_MS = 30_000;
const MILVUS_END_MS = 10_000;
const SEARCHES = [
  ['text', 'validate options against a schema'],
  ['vector', 'promise based conection pooling'],
  ['hybrid', 'parse command line arguments'],
];

/** Everything this process started and has to end. */
const running = { step: undefined, app: undefined, milvus: undefined };
let leftRunning = false;

/**
 * Resolves on the first Ctrl-C, or whatever else asks this process to end. A later one ends it at once; one right after
 * the first is the same Ctrl-C, which npm passes on although the terminal sent it to both.
 */
const interrupted = new Promise(resolve => {
  let firstAt;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      firstAt ??= performance.now();
      if (performance.now() - firstAt > SAME_SIGNAL_MS) process.exit(1);
      resolve();
    });
  }
});

process.on('exit', () => {
  if (running.step) signalGroup(running.step, 'SIGKILL');
  if (running.app) signalGroup(running.app.child, 'SIGKILL');
});

/** Each child has a process group of its own: of a terminal's Ctrl-C it hears only through this process, once. */
const ownGroup = { cwd: root, detached: !isWindows };

function signalGroup(child, signal) {
  try {
    if (isWindows) child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // It is gone already.
  }
}

class Interrupted extends Error {}

/** Waits for `work`, but no longer than until Ctrl-C or the end of the app: neither leaves anything to wait for. */
function orEnd(work) {
  const interruption = interrupted.then(() => {
    throw new Interrupted('interrupted');
  });
  return Promise.race([work, interruption, ...(running.app ? [running.app.lost] : [])]);
}

function say(line) {
  console.log(line === '' ? '' : `demo: ${line}`);
}

/** Runs one command to its end. Its output shows only when it fails, unless it is one to watch. */
async function run(what, args, { watch = false } = {}) {
  const child = spawn(process.execPath, args, {
    ...ownGroup,
    stdio: ['ignore', watch ? 'inherit' : 'pipe', watch ? 'inherit' : 'pipe'],
  });
  running.step = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', chunk => {
      output += chunk;
    });
  }
  const code = await orEnd(new Promise(resolve => child.once('close', resolve)));
  running.step = undefined;
  if (code !== 0) throw new Error(`${what} failed${output && `:\n${output.trimEnd()}`}`);
}

/** `npm run` would need the shell of the platform; npm says where its own program is, which Node can run. */
function npmRun(script) {
  const npm = process.env['npm_execpath'];
  if (!npm) throw new Error('Start it with `npm run demo`');
  return [npm, 'run', '--silent', script];
}

async function startMilvus() {
  const address = process.env['MILVUS_ADDRESS'];
  if (address) {
    say(`using Milvus at ${address}`);
    return address;
  }
  const { MilvusLite } = await import('../dist/testing/index.js');
  const starting = MilvusLite.start({ log: say });
  running.milvus = starting;
  const { address: lite } = await orEnd(starting);
  say(`started Milvus Lite at ${lite}`);
  return lite;
}

/** Starts the sample app and resolves with its URL. */
function startApp(milvusAddress) {
  const child = spawn(process.execPath, [join('sample-app', 'dist', 'main.js')], {
    ...ownGroup,
    env: { ...process.env, PORT: process.env['PORT'] ?? '0', MILVUS_ADDRESS: milvusAddress },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.pipe(process.stdout);
  child.stderr.pipe(process.stderr);
  const listening = new Promise(resolve => {
    createInterface({ input: child.stdout }).on('line', line => {
      const url = /Listening on (http:\/\/[\w.]+:\d+)/.exec(line)?.[1];
      if (url) resolve(url);
    });
  });
  const ended = new Promise(resolve => child.once('close', (code, signal) => resolve(signal ?? code)));
  const lost = ended.then(how => {
    running.app = undefined;
    const hint = process.env['MILVUS_ADDRESS']
      ? `. Is there a Milvus at ${milvusAddress}? Without MILVUS_ADDRESS the demo starts one of its own`
      : '';
    throw new Error(`the sample app ended (${how}), it says above why${hint}`);
  });
  lost.catch(() => undefined);
  running.app = { child, ended, lost };
  return orEnd(within(APP_START_MS, 'the sample app to listen', listening));
}

function within(limitMs, what, work) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${limitMs / 1000} s for ${what}`)), limitMs);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}

async function ask(url, init) {
  const response = await orEnd(fetch(url, init));
  const body = await response.json();
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${JSON.stringify(body)}`);
  return body;
}

function show({ mode, query, tookMs, hits }) {
  say('');
  say(`${mode} search for "${query}", ${tookMs} ms:`);
  for (const { score, package: name, file, text } of hits) {
    const snippet = text.length > 100 ? `${text.slice(0, 100).trimEnd()} …` : text;
    console.log(`  ${score.toFixed(4).padStart(8)}  ${name}/${file}\n            ${snippet}`);
  }
}

/** SIGTERM once, then whatever the app makes of it, within bounds. Returns its exit code. */
async function stopApp() {
  if (!running.app) return 0;
  const { child, ended } = running.app;
  say('stopping the app');
  // On Windows a child cannot be asked with SIGTERM, and the console has told it already.
  if (!isWindows) signalGroup(child, 'SIGTERM');
  return within(APP_END_MS, 'the sample app to end', ended);
}

async function stopMilvus() {
  if (!running.milvus) return;
  // Where this takes too long, as while it is being installed, Milvus Lite ends with this process.
  const stopped = running.milvus.then(milvus => milvus.stop());
  await within(MILVUS_END_MS, 'Milvus Lite to end', stopped).catch(() => undefined);
}

async function demo() {
  say('installing what is missing');
  await run('npm ci', [join('scripts', 'install.mjs')], { watch: true });
  say('building the library');
  await run('npm run build', npmRun('build'));
  say('building the sample app');
  await run('nest build', [join('node_modules', '@nestjs', 'cli', 'bin', 'nest.js'), 'build']);
  const address = await startMilvus();
  const url = await startApp(address);
  const { paragraphs, packages, stored, tookMs } = await ask(`${url}/ingest`, { method: 'POST' });
  say(
    stored === 0
      ? `ingested before: ${paragraphs} paragraphs of ${packages} packages`
      : `ingested ${stored} paragraphs of ${packages} packages in ${tookMs} ms`,
  );
  for (const [mode, q] of SEARCHES) {
    show(await ask(`${url}/search?${new URLSearchParams({ q, mode, limit: '3' })}`));
  }
  const health = await ask(`${url}/health/ready`);
  say('');
  say(`${url}/health/ready says:`);
  console.log(JSON.stringify(health));
  if (once) return;
  say('');
  say(`the app runs at ${url} until Ctrl-C. Try:`);
  console.log(`  curl '${url}/search?q=graceful+shutdown'`);
  console.log(`  curl '${url}/search?q=depricated+functoin&mode=vector&limit=3'`);
  console.log(`  curl '${url}/health/ready'`);
  leftRunning = true;
  await orEnd(new Promise(() => {}));
}

let exitCode = 0;
try {
  await demo();
} catch (error) {
  const asked = error instanceof Interrupted && leftRunning;
  if (!asked) {
    console.error(`demo: ${error.message}`);
    exitCode = 1;
  }
}
try {
  const how = await stopApp();
  if (how !== 0 && exitCode === 0) {
    console.error(`demo: the app ended with ${how}`);
    exitCode = 1;
  }
} catch (error) {
  console.error(`demo: ${error.message}`);
  exitCode = 1;
} finally {
  await stopMilvus();
}
if (exitCode === 0) say('stopped');
process.exit(exitCode);

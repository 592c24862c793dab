// Installs the package as npm would publish it into two empty applications, ESM on Nest 12 and CommonJS on Nest 11, and
// uses it there: types, tests, a real Milvus, health, shutdown, and a start without Milvus. One line for each check.
import { cp, mkdir, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { App } from './package-check/app.mjs';
import { Child, killAll, run } from './package-check/child.mjs';
import { check, failure, mute } from './package-check/report.mjs';
import { checkSampleApp, compileSampleApp } from './package-check/sample-app.mjs';

const root = join(import.meta.dirname, '..');
const LIMIT_MS = 15 * 60_000;
/** The first start on a machine installs it. */
const MILVUS_MS = 10 * 60_000;

const work = await realpath(await mkdtemp(join(tmpdir(), 'nestjs-milvus-package-check-')));
let cleaned;
function cleanUp() {
  cleaned ??= killAll().then(() => rm(work, { recursive: true, force: true, maxRetries: 5 }));
  return cleaned;
}
async function stop(reason, code) {
  console.error(reason);
  mute();
  process.exitCode = code;
  await cleanUp();
  process.exit(code);
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.once(signal, () => stop(`Stopped by ${signal}`, 130));
setTimeout(
  () => stop(`FAIL  the package check took longer than ${LIMIT_MS / 60_000} minutes`, 1),
  LIMIT_MS,
).unref();

const started = performance.now();
try {
  await checkPackage();
} catch (error) {
  if (!failure()) console.error(error);
  process.exitCode ||= 1;
} finally {
  await cleanUp();
}
const seconds = Math.round((performance.now() - started) / 1000);
console.log(
  process.exitCode ? `\nPackage check failed after ${seconds} s` : `\nPackage check passed in ${seconds} s`,
);
// A stray handle must not keep a finished check from ending.
process.exit();

async function checkPackage() {
  const tarball = await check('npm pack', () => pack());
  await check('tarball holds dist, README, LICENSE and package.json, nothing else', () =>
    checkContent(tarball),
  );

  const esm = new App('ESM, Nest 12', join(work, 'esm-nest12'));
  const commonjs = new App('CommonJS, Nest 11', join(work, 'commonjs-nest11'));
  const apps = [esm, commonjs];
  await Promise.all(
    apps.map(async app => {
      await cp(join(root, 'scripts', 'package-check', basename(app.folder)), app.folder, { recursive: true });
      await app.install(tarball);
      await app.compile();
      if (app === commonjs) await app.checkTypesAs('nodenext');
      await app.test();
      await compileSampleApp(app, root);
    }),
  );

  const milvus = new Child(process.execPath, ['dist/src/milvus.js'], { cwd: esm.folder });
  const [, port] = await check('nestjs-milvus/testing starts Milvus Lite', () =>
    milvus.prints(/Milvus on 127\.0\.0\.1:(\d+)/, MILVUS_MS),
  );
  await Promise.all(apps.flatMap(app => [app.serve(port), app.failsWithoutMilvus()]));
  // One after the other, because each puts the machine under load.
  for (const app of apps) await checkSampleApp(app, root, port);
  await check('nestjs-milvus/testing stops Milvus Lite', async () => {
    milvus.endInput();
    await milvus.succeeds(20_000);
  });
}

async function pack() {
  const folder = join(work, 'tarball');
  await mkdir(folder);
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root, timeoutMs: 120_000 });
  const [file] = await readdir(folder);
  return join(folder, file);
}

async function checkContent(tarball) {
  const listing = await run('tar', ['-tzf', tarball], { cwd: work, timeoutMs: 30_000 });
  const files = listing
    .trim()
    .split(/\r?\n/)
    .map(file => file.replace(/^package\//, ''));
  const strays = files.filter(
    file => !/^(dist\/.+\.(js|js\.map|d\.ts)|README\.md|LICENSE|package\.json)$/.test(file),
  );
  const { main, types, exports, typesVersions } = JSON.parse(
    await readFile(join(root, 'package.json'), 'utf8'),
  );
  const targets = [main, types, exports, typesVersions]
    .flatMap(leaves)
    .map(file => file.replace(/^\.\//, ''));
  const missing = ['README.md', 'LICENSE', ...targets].filter(file => !files.includes(file));
  const faults = [
    ...strays.map(file => `${file} does not belong there`),
    ...missing.map(file => `${file} is missing`),
  ];
  if (faults.length > 0) throw new Error(faults.join('\n'));
}

function leaves(value) {
  return typeof value === 'string' ? [value] : Object.values(value).flatMap(leaves);
}

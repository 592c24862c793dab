import { createHash, randomUUID } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findPython } from './find-python.js';
import { InstallLock } from './install-lock.js';
import { lastLines, runCommand } from './run-command.js';

/** What stands in an environment. */
export interface PythonEnvironmentPlan {
  /** Pinned, as pip takes them: `milvus-lite==3.2.2`. They name the folder, so that new versions get a new one. */
  packages: string[];
  /** For the line that says what is about to happen: `355 MB`. */
  size: string;
  /** A Python program that is run once after the installation; `sys.argv[1]` is the environment's folder. */
  afterInstall?: string;
}

/** An environment that is complete. */
export interface PythonEnvironment {
  folder: string;
  /** Its interpreter. Run it with `-I`, so that nothing in the current folder or in PYTHONPATH gets in the way. */
  python: string;
}

export interface InstallOptions {
  /** The Python to build with; found by itself when absent. */
  python?: string | undefined;
  log: (line: string) => void;
  /** Where environments are kept; the user's cache folder when absent. */
  cacheFolder?: string;
  /** For waiting and for installing. 15 minutes: a slow line takes several for 100 MB of wheels; what takes longer hangs. */
  timeoutMs?: number;
}

const TIMEOUT_MS = 15 * 60_000;
const HEARTBEAT_MS = 10_000;
const LOCK_POLL_MS = 250;

/**
 * The environment with these packages: the one built before, or a new one. Safe to call from many processes at once: one builds, the
 * others wait for it.
 */
export async function pythonEnvironment(
  plan: PythonEnvironmentPlan,
  options: InstallOptions,
): Promise<PythonEnvironment> {
  const packages = plan.packages.join(' ');
  const home = join(options.cacheFolder ?? cacheFolder(), folderName(plan));
  const lockFile = join(home, 'lock');
  const { timeoutMs = TIMEOUT_MS } = options;
  const deadline = performance.now() + timeoutMs;
  let told = false;
  for (;;) {
    const existing = await published(home);
    if (existing) return existing;

    const folder = join(home, `build-${randomUUID().slice(0, 8)}`);
    const lock = await InstallLock.tryAcquire(lockFile, folder);
    if (lock) {
      try {
        return (await published(home)) ?? (await build(plan, options, home, folder));
      } finally {
        await lock.release();
      }
    }
    if (performance.now() > deadline) {
      throw new Error(
        `Another process has been installing ${packages} for more than ${timeoutMs / 1000} s. ` +
          `If none is, delete ${lockFile} and try again.`,
      );
    }
    if (!told) options.log(`Waiting for another process that is installing ${packages} …`);
    told = true;
    await delay(LOCK_POLL_MS);
  }
}

/** Another plan is another folder, so that no version ever meets the remains of another. */
function folderName({ packages, afterInstall }: PythonEnvironmentPlan): string {
  const names = packages.map(name => name.replace('==', '-'));
  if (afterInstall) names.push(createHash('sha256').update(afterInstall).digest('hex').slice(0, 8));
  return names.join('+');
}

function cacheFolder(): string {
  const { env, platform } = process;
  if (env['NESTJS_MILVUS_CACHE']) return env['NESTJS_MILVUS_CACHE'];
  if (platform === 'win32') {
    return join(env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), 'nestjs-milvus', 'Cache');
  }
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'nestjs-milvus');
  return join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'nestjs-milvus');
}

/**
 * A file names the build in use. A virtual environment holds absolute paths and cannot be renamed into place, so each is built where it
 * stays and this file is what is renamed.
 */
function pointerOf(home: string): string {
  return join(home, 'current');
}

async function published(home: string): Promise<PythonEnvironment | undefined> {
  try {
    const environment = environmentIn(join(home, await readFile(pointerOf(home), 'utf8')));
    // Fails also when the Python it was built with is gone: the interpreter in it is a link.
    await access(environment.python);
    return environment;
  } catch {
    return undefined;
  }
}

function environmentIn(folder: string): PythonEnvironment {
  const python = process.platform === 'win32' ? join('Scripts', 'python.exe') : join('bin', 'python');
  return { folder, python: join(folder, python) };
}

async function build(
  plan: PythonEnvironmentPlan,
  { python, log, timeoutMs = TIMEOUT_MS }: InstallOptions,
  home: string,
  folder: string,
): Promise<PythonEnvironment> {
  const base = await findPython(python);
  log(`Installing ${plan.packages.join(' ')} (${plan.size}) once, into ${folder}`);
  const environment = environmentIn(folder);
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 1000);
  const heartbeat = setInterval(() => log(`  still installing, ${seconds()} s …`), HEARTBEAT_MS);
  try {
    await mkdir(folder, { recursive: true });
    await makeVenv(base, folder, timeoutMs);
    await pipInstall(environment, plan, log, timeoutMs);
    if (plan.afterInstall) await runAfterInstall(environment, plan.afterInstall, timeoutMs);
    const other = await published(home);
    if (other) {
      await rm(folder, { recursive: true, force: true });
      return other;
    }
    await publish(home, folder);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  } finally {
    clearInterval(heartbeat);
  }
  log(`Installed in ${seconds()} s.`);
  return environment;
}

async function publish(home: string, folder: string): Promise<void> {
  const replaced = await readFile(pointerOf(home), 'utf8').catch(() => undefined);
  const pointer = `${pointerOf(home)}-${randomUUID()}`;
  await writeFile(pointer, basename(folder));
  await rename(pointer, pointerOf(home));
  if (replaced) await rm(join(home, basename(replaced)), { recursive: true, force: true });
}

async function makeVenv(python: string, folder: string, timeoutMs: number): Promise<void> {
  const { code, output } = await runCommand(python, ['-I', '-m', 'venv', folder], { timeoutMs });
  if (code === 0) return;
  const remedy = /ensurepip|No module named '?venv/.test(output)
    ? 'Its venv module is incomplete. Debian and Ubuntu have it in a package of its own: apt install python3-venv.'
    : 'Is the folder writable, and the disk not full?';
  throw new Error(
    `${python} could not make a virtual environment in ${folder}. ${remedy}\n${lastLines(output)}`,
  );
}

async function pipInstall(
  { python }: PythonEnvironment,
  { packages }: PythonEnvironmentPlan,
  log: (line: string) => void,
  timeoutMs: number,
): Promise<void> {
  const pip = [
    '-I',
    '-m',
    'pip',
    'install',
    '--disable-pip-version-check',
    '--no-input',
    '--progress-bar',
    'off',
  ];
  const { code, output } = await runCommand(python, [...pip, ...packages], {
    timeoutMs,
    onLine: line => {
      if (/^\s*(Downloading|Installing collected)/.test(line)) log(`  ${line.trim()}`);
    },
  });
  if (code === 0) return;
  const failed =
    code === null
      ? `did not install ${packages.join(' ')} within ${timeoutMs / 1000} s`
      : `could not install ${packages.join(' ')}`;
  throw new Error(
    `pip ${failed}. Is the package registry reachable? pip takes a mirror from PIP_INDEX_URL and a proxy from HTTPS_PROXY. ` +
      'If it found no version that fits, name another Python (3.10 to 3.13) in MILVUS_PYTHON. ' +
      `The end of what pip said:\n${lastLines(output)}`,
  );
}

async function runAfterInstall(
  { python, folder }: PythonEnvironment,
  program: string,
  timeoutMs: number,
): Promise<void> {
  const { code, output } = await runCommand(python, ['-I', '-c', program, folder], { timeoutMs });
  if (code !== 0)
    throw new Error(`Could not unpack what was installed into ${folder}.\n${lastLines(output)}`);
}

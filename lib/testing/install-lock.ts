import { mkdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';

const BEAT_INTERVAL_MS = 5_000;

/** A lock not touched for so long has no living owner, wherever the owner ran (another container, another machine). */
const SILENCE_MS = 60_000;

interface Owner {
  pid: number;
  host: string;
  /** What the owner is building, so that who finds it dead can clear it away. */
  folder: string;
}

/**
 * Keeps two processes from installing the same thing at once. It saves work, no more: each installation is built in a folder of
 * its own and published by an atomic rename, so that in the odd case that two hold the lock nothing breaks.
 */
export class InstallLock {
  private constructor(
    private readonly file: string,
    private readonly owner: string,
    private readonly beat: NodeJS.Timeout,
  ) {}

  /** The lock, or `undefined` while another has it. A lock whose owner has died is cleared away on the way. */
  static async tryAcquire(file: string, folder: string): Promise<InstallLock | undefined> {
    await mkdir(dirname(file), { recursive: true });
    const owner = JSON.stringify({ pid: process.pid, host: hostname(), folder } satisfies Owner);
    for (;;) {
      try {
        await writeFile(file, owner, { flag: 'wx' });
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        if (!(await clearAbandoned(file))) return undefined;
      }
    }
    const beat = setInterval(() => {
      const now = new Date();
      utimes(file, now, now).catch(() => undefined);
    }, BEAT_INTERVAL_MS).unref();
    return new InstallLock(file, owner, beat);
  }

  async release(): Promise<void> {
    clearInterval(this.beat);
    if ((await readFile(this.file, 'utf8').catch(() => '')) === this.owner)
      await rm(this.file, { force: true });
  }
}

async function clearAbandoned(file: string): Promise<boolean> {
  let text: string;
  let touched: number;
  try {
    text = await readFile(file, 'utf8');
    touched = (await stat(file)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
  const owner = parseOwner(text);
  if (owner && owner.host === hostname() && !isAlive(owner.pid)) {
    await rm(owner.folder, { recursive: true, force: true });
  } else if (Date.now() - touched < SILENCE_MS) {
    return false;
  }
  await rm(file, { force: true });
  return true;
}

/** `undefined` for a lock that was just made and not yet written. */
function parseOwner(text: string): Owner | undefined {
  try {
    return JSON.parse(text) as Owner;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

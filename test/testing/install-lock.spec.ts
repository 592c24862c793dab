import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { InstallLock } from '../../lib/testing/install-lock.js';

let folder: string;
let file: string;
let half: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'));
  file = join(folder, 'somewhere', 'lock');
  half = join(folder, 'half-made');
  await mkdir(half);
});
afterEach(() => rm(folder, { recursive: true }));

async function leave(content: string, ageMs = 0): Promise<void> {
  await mkdir(join(folder, 'somewhere'));
  await writeFile(file, content);
  const touched = new Date(Date.now() - ageMs);
  await utimes(file, touched, touched);
}

const owner = (pid: number, host = hostname()) => JSON.stringify({ pid, host, folder: half });
const NO_PROCESS = 2 ** 30;

describe('InstallLock', () => {
  it('is had by one at a time', async () => {
    const lock = await InstallLock.tryAcquire(file, half);
    expect(lock).toBeDefined();
    expect(await InstallLock.tryAcquire(file, half)).toBe(undefined);
    await lock?.release();
    const next = await InstallLock.tryAcquire(file, half);
    expect(next).toBeDefined();
    await next?.release();
    expect(existsSync(file)).toBe(false);
  });

  it('is taken from an owner that has died, whose half-made folder goes', async () => {
    await leave(owner(NO_PROCESS));
    const lock = await InstallLock.tryAcquire(file, half);
    expect(lock).toBeDefined();
    expect(existsSync(half)).toBe(false);
    await lock?.release();
  });

  it('is not taken from an owner on another host, whose processes nobody here can see', async () => {
    await leave(owner(NO_PROCESS, 'another-host'));
    expect(await InstallLock.tryAcquire(file, half)).toBe(undefined);
    expect(existsSync(half)).toBe(true);
  });

  it('is taken from an owner that has been silent for long, whose folder stays: it may be asleep', async () => {
    await leave(owner(NO_PROCESS, 'another-host'), 61_000);
    const lock = await InstallLock.tryAcquire(file, half);
    expect(lock).toBeDefined();
    expect(existsSync(half)).toBe(true);
    await lock?.release();
  });

  it('is not taken while its owner has yet to write its name', async () => {
    await leave('');
    expect(await InstallLock.tryAcquire(file, half)).toBe(undefined);
  });

  it('is left alone by a former owner', async () => {
    const lock = await InstallLock.tryAcquire(file, half);
    await writeFile(file, owner(process.ppid));
    await lock?.release();
    expect(await readFile(file, 'utf8')).toBe(owner(process.ppid));
  });
});

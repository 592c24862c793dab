import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { type ServerPlan, ServerProcess, ServerStartError } from '../../lib/testing/server-process.js';
import { TemporaryFolder } from '../../lib/testing/temporary-folder.js';

/** Ends with its standard input, as every server must. */
const SERVER = `process.stdin.resume().on('end', () => process.exit()); console.log('up');`;

const started: ServerProcess[] = [];
afterEach(async () => {
  for (const server of started.splice(0)) await server.kill();
});

function serverOf(code: string, plan: Partial<ServerPlan> = {}): ServerProcess {
  const server = new ServerProcess({
    name: 'Test server',
    command: process.execPath,
    args: ['-e', code],
    isReady: async output => output.includes('up'),
    startTimeoutMs: 30_000,
    stopSignal: 'SIGINT',
    ...plan,
  });
  started.push(server);
  return server;
}

function isRunning(pid: number | undefined): boolean {
  try {
    return process.kill(pid as number, 0);
  } catch {
    return false;
  }
}

describe('ServerProcess', () => {
  it('runs from start to stop', async () => {
    const server = serverOf(SERVER);
    await server.start();
    const { pid } = server;
    expect(isRunning(pid)).toBe(true);
    await server.stop();
    expect(isRunning(pid)).toBe(false);
    expect(server.pid).toBe(undefined);
  });

  it('shows what a server said that ended while starting', async () => {
    const failure = serverOf('console.error("bad config"); process.exitCode = 7').start();
    await expect(failure).rejects.toThrow(ServerStartError);
    await expect(failure).rejects.toThrow('Test server exited with code 7 while starting.');
    await expect(failure).rejects.toThrow('    bad config');
  });

  it('shows what a server said that did not get ready in time, and ends it', async () => {
    // A shell, because it speaks long before the time is up, where Node may still be starting.
    const server = serverOf('', {
      command: '/bin/sh',
      args: ['-c', 'echo almost; exec cat'],
      startTimeoutMs: 2000,
    });
    let pid: number | undefined;
    const failure = server.start();
    await Promise.resolve();
    const poll = setInterval(() => {
      pid ??= server.pid;
    }, 10);
    await expect(failure).rejects.toThrow(/Test server was not ready within 2000 ms\..*almost/s);
    clearInterval(poll);
    expect(pid).toBeGreaterThan(0);
    expect(isRunning(pid)).toBe(false);
  });

  it('says when the command does not exist', async () => {
    await expect(serverOf('', { command: 'no-such-command-here' }).start()).rejects.toThrow(
      /could not be started \(.*ENOENT/,
    );
  });

  it('kills a server that does not end when asked to', async () => {
    const server = serverOf(`process.on('SIGINT', () => {}); ${SERVER}`, { stopTimeoutMs: 100 });
    await server.start();
    const { pid } = server;
    await server.stop();
    expect(isRunning(pid)).toBe(false);
  });

  it('starts another process on restart, whether it ran, was killed, stopped or crashed', async () => {
    const server = serverOf(SERVER);
    await server.start();
    const pids = [server.pid];
    await server.restart();
    pids.push(server.pid);
    await server.kill();
    await server.restart();
    pids.push(server.pid);
    await server.stop();
    await server.restart();
    pids.push(server.pid);
    process.kill(server.pid as number, 'SIGKILL');
    await server.restart();
    pids.push(server.pid);
    expect(new Set(pids).size).toBe(5);
    expect(pids.map(isRunning)).toEqual([false, false, false, false, true]);
  });

  it('does what is asked at once in the order asked', async () => {
    const server = serverOf(SERVER);
    await Promise.all([
      server.start(),
      server.stop(),
      server.restart(),
      server.kill(),
      server.stop(),
      server.stop(),
    ]);
    expect(server.pid).toBe(undefined);
    await Promise.all([server.stop(), server.restart()]);
    expect(isRunning(server.pid)).toBe(true);
  });

  it('can be started after a failed start', async () => {
    let fail = true;
    const server = serverOf(SERVER, {
      prepare: async () => {
        if (fail) throw new Error('disk full');
      },
    });
    await expect(server.start()).rejects.toThrow('disk full');
    fail = false;
    await server.start();
    expect(isRunning(server.pid)).toBe(true);
  });

  it('keeps the temporary folder over kill and restart, and removes it on stop', async () => {
    const temporaryFolder = new TemporaryFolder('server-process-');
    const file = join(temporaryFolder.path, 'row');
    const server = serverOf(SERVER, { temporaryFolder });
    await server.start();
    await writeFile(file, '');
    await server.kill();
    await server.restart();
    expect(existsSync(file)).toBe(true);
    await server.stop();
    expect(existsSync(temporaryFolder.path)).toBe(false);
    await server.restart();
    expect(existsSync(temporaryFolder.path)).toBe(true);
    expect(existsSync(file)).toBe(false);
    await server.stop();
  });
});

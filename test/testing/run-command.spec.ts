import { describe, expect, it } from '@jest/globals';
import { lastLines, runCommand } from '../../lib/testing/run-command.js';

function runNode(code: string, timeoutMs = 30_000, onLine?: (line: string) => void) {
  return runCommand(process.execPath, ['-e', code], { timeoutMs, ...(onLine && { onLine }) });
}

describe('runCommand', () => {
  it('gives the exit code and what both streams said', async () => {
    const { code, output } = await runNode('console.log("out"); console.error("err"); process.exitCode = 3');
    expect(code).toBe(3);
    expect(output.split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  it('hands over whole lines, however they arrive', async () => {
    const lines: string[] = [];
    await runNode('process.stdout.write("on", () => process.stdout.write("e\\r\\ntwo\\n"))', 30_000, line =>
      lines.push(line),
    );
    expect(lines).toEqual(['one', 'two']);
  });

  it('ends what takes too long', async () => {
    await expect(runNode('setInterval(() => {}, 1000)', 200)).resolves.toHaveProperty('code', null);
  });

  it('rejects for a command that does not exist, and leaves no timer', async () => {
    const timers = () => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length;
    const before = timers();
    await expect(runCommand('no-such-command-here', [], { timeoutMs: 60_000 })).rejects.toThrow('ENOENT');
    expect(timers()).toBe(before);
  });
});

describe('lastLines', () => {
  it('indents the end of an output', () => {
    expect(lastLines('a\nb\r\nc\n\n', 2)).toBe('    b\n    c');
  });
});

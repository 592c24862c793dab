import { spawn } from 'node:child_process';

/** How a finished command ended. */
export interface CommandResult {
  /** 0 means success; `null` when a signal or the time limit ended it. */
  code: number | null;
  /** Both streams, in the order of arrival. */
  output: string;
}

/** Runs a command to its end, without a shell. Rejects only when it cannot be started. */
export function runCommand(
  file: string,
  args: string[],
  { timeoutMs, onLine }: { timeoutMs: number; onLine?: (line: string) => void },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    // Not spawn's own `timeout`: when the command does not exist that timer stays, and holds the process.
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let output = '';
    let unfinishedLine = '';
    const read = (chunk: string) => {
      output += chunk;
      const lines = (unfinishedLine + chunk).split(/\r?\n/);
      unfinishedLine = lines.pop() ?? '';
      for (const line of lines) onLine?.(line);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('error', error => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', code => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

/** The end of an output, indented, for the foot of an error message. */
export function lastLines(output: string, count = 15): string {
  return output
    .trimEnd()
    .split(/\r?\n/)
    .slice(-count)
    .map(line => `    ${line}`)
    .join('\n');
}

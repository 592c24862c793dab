// Child processes of the package check: each wait is bounded, and none outlives the check.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const OUTPUT_KEPT = 64 * 1024;
const LINES_SHOWN = 30;
/** For what an ended process has still in its pipes. */
const OUTPUT_GRACE_MS = 300;
const posix = process.platform !== 'win32';
const running = new Set();
let over = false;

/** What npm tells its scripts about this package must not reach an npm that works in another folder. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^npm_(package_|lifecycle_|config_local_prefix$)|^INIT_CWD$/.test(name),
  ),
);

export class Child {
  output = '';
  result = undefined;
  #process;
  #ended;

  /** `ipc` opens the channel for `send` and `message`. */
  constructor(command, args, { cwd, env: extra = {}, ipc = false }) {
    if (over) throw new Error('The package check is over: nothing is started any more');
    this.title = [command, ...args].join(' ');
    this.#process = spawn(command, args, {
      cwd,
      env: { ...env, ...extra },
      // A group of its own, so that what it started ends with it.
      detached: posix,
      shell: !posix && command !== process.execPath,
      stdio: ['pipe', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])],
    });
    this.#process.stdin.on('error', () => {});
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.output = (this.output + text).slice(-OUTPUT_KEPT);
      });
    }
    running.add(this);
    this.#ended = new Promise(resolve => {
      const end = (code, signal) => {
        this.result = { code, signal };
        running.delete(this);
        resolve();
      };
      // 'close' alone does not do: with a disconnected channel Node may never emit it, nor while a grandchild lives on.
      const closed = once(this.#process, 'close').catch(() => {});
      this.#process.once('exit', async (code, signal) => {
        await within(OUTPUT_GRACE_MS, closed);
        end(code, signal);
      });
      this.#process.once('error', error => {
        this.output += `${error.message}\n`;
        if (this.#process.pid === undefined) end(null, null);
      });
    });
  }

  /** The match of a pattern in what it prints. */
  async prints(pattern, timeoutMs) {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const match = this.output.match(pattern);
      if (match) return match;
      if (this.result) throw this.fault(`ended (${this.ending}) before it printed ${pattern}`);
      if (performance.now() > deadline) throw this.fault(`did not print ${pattern} within ${timeoutMs} ms`);
      await sleep(50);
    }
  }

  /** Its exit: `{ code, signal }`. */
  async ends(timeoutMs) {
    await within(timeoutMs, this.#ended);
    if (!this.result) throw this.fault(`did not end within ${timeoutMs} ms`);
    return this.result;
  }

  async succeeds(timeoutMs) {
    const { code } = await this.ends(timeoutMs);
    if (code !== 0) throw this.fault(`ended (${this.ending}), expected code 0`);
    return this.output;
  }

  /** Sends a message and waits for the answer. */
  async asks(message, answer, timeoutMs) {
    const answered = new Promise(resolve => {
      this.#process.on('message', text => text === answer && resolve(true));
    });
    this.#process.send(message);
    const hasAnswered = await within(timeoutMs, Promise.race([answered, this.#ended]));
    if (hasAnswered) return;
    const what = this.result ? `ended (${this.ending})` : `took longer than ${timeoutMs} ms`;
    throw this.fault(`${what} instead of answering "${message}"`);
  }

  disconnect() {
    this.#process.disconnect();
  }

  signal(signal) {
    this.#process.kill(signal);
  }

  endInput() {
    this.#process.stdin.end();
  }

  get ending() {
    if (!this.result) return 'still running';
    const { code, signal } = this.result;
    return signal ?? `code ${code}`;
  }

  fault(what) {
    const lines = this.output.trimEnd().split('\n').slice(-LINES_SHOWN);
    return new Error(`${this.title}\n${what}. The end of its output:\n    ${lines.join('\n    ')}`);
  }

  async kill() {
    try {
      if (posix && this.#process.pid) process.kill(-this.#process.pid, 'SIGKILL');
      else this.#process.kill('SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
    await within(5_000, this.#ended);
  }
}

/** What the work gives, or `undefined` when it takes longer. */
async function within(limitMs, work) {
  const timer = new AbortController();
  // A referenced timer: while it runs, Node does not take the check for finished.
  const limit = sleep(limitMs, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, limit]);
  } finally {
    timer.abort();
  }
}

/** Runs a command to its successful end and returns its output. */
export function run(command, args, { timeoutMs, ...options }) {
  const child = new Child(command, args, options);
  child.endInput();
  return child.succeeds(timeoutMs).finally(() => child.kill());
}

/** Ends what runs, and lets nothing more start. */
export async function killAll() {
  over = true;
  await Promise.all([...running].map(child => child.kill()));
}

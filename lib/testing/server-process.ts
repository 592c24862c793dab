import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { lastLines } from './run-command.js';
import type { TemporaryFolder } from './temporary-folder.js';

/** How to run a server. Its standard input is a pipe that ends when this process does: the program must end with it. */
export interface ServerPlan {
  /** For error messages. */
  name: string;
  command: string;
  args: string[];
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Makes what the server needs on disk. Called before each start. */
  prepare?(): Promise<void>;
  /** Asked again and again until it says yes; a rejection means no. `output` is what the server has printed so far. */
  isReady(output: string): Promise<boolean>;
  startTimeoutMs: number;
  /** What asks the server to end. */
  stopSignal: NodeJS.Signals;
  /** How long it may take to do so; then it is killed. 10000 unless said otherwise. */
  stopTimeoutMs?: number;
  /** Removed when the server is stopped. */
  temporaryFolder?: TemporaryFolder;
}

/** The server ended while starting, or did not get ready in time. */
export class ServerStartError extends Error {
  constructor(
    what: string,
    /** What it had printed. */
    readonly output: string,
  ) {
    super(`${what} The end of its output:\n${lastLines(output) || '    (nothing)'}`);
    this.name = 'ServerStartError';
  }
}

const READY_POLL_MS = 50;
const STOP_TIMEOUT_MS = 10_000;
const OUTPUT_KEPT = 16_384;

/** One server as a child process, over its starts and ends. What is asked of it at once is done one after the other, in the order asked. */
export class ServerProcess {
  private run: Run | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(private readonly plan: ServerPlan) {}

  /** `undefined` while it does not run. */
  get pid(): number | undefined {
    return this.run?.isAlive ? this.run.pid : undefined;
  }

  /** Resolves when it is ready. Does nothing while it runs. */
  start(): Promise<void> {
    return this.inTurn(() => this.launch());
  }

  /** Ends it gracefully, within bounds, and removes the temporary folder. */
  stop(): Promise<void> {
    return this.inTurn(async () => {
      await this.run?.end(this.plan.stopSignal);
      await this.plan.temporaryFolder?.remove();
    });
  }

  /** Ends it at once, as a crash would. The data stays. */
  kill(): Promise<void> {
    return this.inTurn(async () => this.run?.end('SIGKILL'));
  }

  /** Ends it gracefully if it runs, and starts it with the data it had. */
  restart(): Promise<void> {
    return this.inTurn(async () => {
      await this.run?.end(this.plan.stopSignal);
      await this.launch();
    });
  }

  private inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }

  private async launch(): Promise<void> {
    if (this.run?.isAlive) return;
    await this.plan.temporaryFolder?.ensure();
    await this.plan.prepare?.();
    const run = new Run(this.plan);
    this.run = run;
    try {
      await run.ready();
    } catch (error) {
      await run.end('SIGKILL');
      throw error;
    }
  }
}

/** From one start to the end that follows. */
class Run {
  private readonly child: ChildProcess;
  private readonly closed: Promise<void>;
  private readonly over = new AbortController();
  private output = '';
  private ending = '';

  constructor(private readonly plan: ServerPlan) {
    this.child = spawn(plan.command, plan.args, {
      cwd: plan.cwd,
      env: plan.env,
      // Out of the terminal's process group: on Ctrl-C the application must be able to drain against a living server.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.closed = new Promise(resolve => {
      const end = (how: string) => {
        this.ending ||= how;
        this.over.abort();
        resolve();
      };
      this.child.on('error', error => {
        if (this.child.pid === undefined) end(`could not be started (${error.message})`);
      });
      this.child.once('close', (code, signal) =>
        end(signal ? `was ended by ${signal}` : `exited with code ${code}`),
      );
    });
    const keep = (chunk: string) => {
      this.output = (this.output + chunk).slice(-OUTPUT_KEPT);
    };
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.setEncoding('utf8').on('data', keep);
    // A server that nobody stopped must not keep its parent from ending.
    this.child.unref();
    for (const pipe of this.child.stdio) (pipe as Socket | null)?.unref();
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isAlive(): boolean {
    return !this.over.signal.aborted;
  }

  async ready(): Promise<void> {
    const { name, startTimeoutMs } = this.plan;
    const deadline = performance.now() + startTimeoutMs;
    while (this.isAlive) {
      const ready = await this.plan.isReady(this.output).catch(() => false);
      if (ready && this.isAlive) return;
      if (performance.now() > deadline) {
        throw new ServerStartError(`${name} was not ready within ${startTimeoutMs} ms.`, this.output);
      }
      await delay(READY_POLL_MS, undefined, { signal: this.over.signal }).catch(() => undefined);
    }
    throw new ServerStartError(`${name} ${this.ending} while starting.`, this.output);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.isAlive) return;
    this.child.ref();
    this.child.kill(signal);
    const patience = setTimeout(() => this.child.kill('SIGKILL'), this.plan.stopTimeoutMs ?? STOP_TIMEOUT_MS);
    await this.closed;
    clearTimeout(patience);
  }
}

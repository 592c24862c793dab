import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { defaultAnswer, milvusService } from '../test/support/stub-answers.js';
import { frame } from '../test/support/stub-behaviours.js';

const BUILT = join(import.meta.dirname, 'fair-server');
const SOURCE = join(import.meta.dirname, '..', '..', 'fair-server');
const GO = { GOTOOLCHAIN: 'local', GOPROXY: 'off', GOFLAGS: '-buildvcs=false', CGO_ENABLED: '0' };

export interface CannedServerOptions {
  /** How long each call takes. */
  delayMs: number;
  /** Bytes of requests that one connection takes at once; 64 MB when absent. */
  window?: number;
}

/** A process that answers RPCs with canned answers. */
export class CannedServer {
  private constructor(
    readonly address: string,
    /** What it is, and what its figures are worth. */
    readonly description: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(options: CannedServerOptions): Promise<CannedServer> {
    program ??= chooseProgram();
    const { command, description } = await program;
    const args = [`--delay=${options.delayMs}`, ...(options.window ? [`--window=${options.window}`] : [])];
    const [executable, ...before] = command as [string, ...string[]];
    const child = spawn(executable, [...before, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.write(`${JSON.stringify(cannedAnswers())}\n`);
    const [address] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
    return new CannedServer(address, description, child);
  }

  stop(): void {
    this.child.stdin!.end();
  }
}

interface Program {
  command: string[];
  description: string;
}

let program: Promise<Program> | undefined;

/** The one in Go, whose tails mean something; without Go the one in JavaScript. */
async function chooseProgram(): Promise<Program> {
  const go = (...args: string[]) =>
    promisify(execFile)('go', args, { cwd: SOURCE, env: { ...process.env, ...GO } });
  try {
    await go('build', '-o', BUILT, '.');
    const { stdout: version } = await go('env', 'GOVERSION');
    return { command: [BUILT], description: `bench/fair-server, ${version.trim()}` };
  } catch (error) {
    const reason = (error as Error).message.trim().replace(/\s+/g, ' ');
    return {
      command: [process.execPath, join(import.meta.dirname, 'stub-process.js')],
      description:
        'bench/stub-process, a node:http2 that keeps calls waiting by itself: ITS TAILS (p99, overtakes) MEAN NOTHING. ' +
        `The server that is fair needs Go 1.24 or later (${reason})`,
    };
  }
}

function cannedAnswers(): Record<string, string> {
  const rpcs = ['Connect', 'DescribeCollection', 'Search'];
  return Object.fromEntries(
    rpcs.map(rpc => {
      const { path, responseSerialize } = milvusService[rpc]!;
      const answer = responseSerialize(defaultAnswer(rpc, { collection_name: 'bench' }));
      return [path, frame(answer).toString('base64')];
    }),
  );
}

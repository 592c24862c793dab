import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { transformFile } from '@swc/core';

const ROOT = join(import.meta.dirname, '..', '..');

/** What a script may import, by its path in the repository, with `.js`. */
const SOURCES = ['lib/testing', 'test/support/milvus-standalone.ts', 'test/support/certificates.ts'];

/**
 * The sources as plain Node runs them. Some promises are about processes (one installs at a time, servers end with their parent),
 * and a process that a test may kill cannot be the test's own.
 */
export class CompiledSources {
  private constructor(readonly folder: string) {}

  static async make(): Promise<CompiledSources> {
    const folder = await mkdtemp(join(tmpdir(), 'compiled-'));
    await writeFile(join(folder, 'package.json'), '{"type":"module"}');
    for (const source of SOURCES) {
      const path = join(ROOT, source);
      const files = source.endsWith('.ts') ? [path] : (await readdir(path)).map(name => join(path, name));
      for (const file of files) await compile(file, folder);
    }
    return new CompiledSources(folder);
  }

  run(code: string, env: NodeJS.ProcessEnv = {}): NodeScript {
    return new NodeScript(this.folder, code, env);
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

async function compile(file: string, folder: string): Promise<void> {
  const { code } = await transformFile(file, {
    swcrc: false,
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
    module: { type: 'es6' },
  });
  const target = join(folder, relative(ROOT, file)).replace(/\.ts$/, '.js');
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, code);
}

/** A program in a Node process of its own. */
export class NodeScript {
  /** Both streams. */
  output = '';
  readonly exit: Promise<{ code: number | null; output: string }>;
  private readonly child: ChildProcess;
  private ended = false;
  private readonly watchers = new Set<() => void>();

  constructor(cwd: string, code: string, env: NodeJS.ProcessEnv) {
    this.child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding('utf8').on('data', (chunk: string) => {
        this.output += chunk;
        for (const watch of this.watchers) watch();
      });
    }
    this.exit = new Promise(resolve => {
      // Not at 'exit', which may come before the end of the output does.
      this.child.once('close', code => {
        this.ended = true;
        resolve({ code, output: this.output });
        for (const watch of this.watchers) watch();
      });
    });
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** The first match in the output, as soon as it is there. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const watch = () => {
        const match = pattern.exec(this.output);
        if (match) resolve(match);
        else if (this.ended) reject(new Error(`Ended without ${pattern}:\n${this.output}`));
        else return;
        this.watchers.delete(watch);
      };
      this.watchers.add(watch);
      watch();
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child.kill(signal);
  }
}

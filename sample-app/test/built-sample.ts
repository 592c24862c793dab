import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../lib/testing/run-command.js';

const root = join(import.meta.dirname, '..', '..');
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');

/**
 * The library and the sample as they are now, compiled into a folder of their own: `dist/` may be older than the
 * sources, and another process may be building it.
 */
export class BuiltSample {
  readonly main = join('sample-app', 'dist', 'main.js');

  private constructor(readonly folder: string) {}

  static async build(): Promise<BuiltSample> {
    const folder = await mkdtemp(join(tmpdir(), 'sample-app-'));
    const sample = new BuiltSample(folder);
    try {
      await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
      await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
      await compile('-p', join(root, 'tsconfig.build.json'), '--outDir', join(folder, 'dist'));
      await mkdir(join(folder, 'sample-app'));
      const project = join(folder, 'sample-app', 'tsconfig.json');
      await writeFile(project, JSON.stringify(projectIn(folder)));
      await compile('-p', project);
      return sample;
    } catch (error) {
      await sample.remove();
      throw error;
    }
  }

  remove(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }
}

/** The sample's own project, with its output and the library it is checked against in the folder. */
function projectIn(folder: string) {
  return {
    extends: join(root, 'sample-app', 'tsconfig.json'),
    compilerOptions: {
      rootDir: join(root, 'sample-app', 'src'),
      outDir: join(folder, 'sample-app', 'dist'),
      typeRoots: [join(root, 'node_modules', '@types')],
      paths: { 'nestjs-milvus': [join(folder, 'dist', 'index.d.ts')] },
    },
    include: [join(root, 'sample-app', 'src')],
  };
}

async function compile(...args: string[]): Promise<void> {
  const { code, output } = await runCommand(process.execPath, [tsc, ...args], { timeoutMs: 120_000 });
  if (code !== 0) throw new Error(`tsc ${args.join(' ')} failed:\n${output}`);
}

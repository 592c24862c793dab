import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { pythonEnvironment } from '../../lib/testing/python-environment.js';
import { type FakePython, fakePython } from './fake-python.js';
import { CompiledSources, type NodeScript } from './node-script.js';

const PLAN = { packages: ['milvus-lite==9.9.9', 'pymilvus==8.8.8'], size: '355 MB' };

let folder: string;
let cacheFolder: string;
let home: string;
let lines: string[];
const log = (line: string) => lines.push(line);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'environment-'));
  cacheFolder = join(folder, 'cache');
  home = join(cacheFolder, 'milvus-lite-9.9.9+pymilvus-8.8.8');
  lines = [];
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function counting(command = 'true'): string {
  return `echo "$*" >> ${join(folder, 'pip-calls')}; ${command}`;
}

async function pipCalls(): Promise<string[]> {
  const text = await readFile(join(folder, 'pip-calls'), 'utf8').catch(() => '');
  return text.split('\n').filter(line => line !== '');
}

async function install(fake: FakePython, options: { timeoutMs?: number } = {}) {
  const python = await fakePython(join(folder, 'bin'), 'python3', fake);
  return pythonEnvironment(PLAN, { python, log, cacheFolder, ...options });
}

describe('pythonEnvironment', () => {
  it('installs once into a folder named after the versions', async () => {
    const first = await install({ pip: counting() });
    const second = await install({ pip: counting() });
    expect(second).toEqual(first);
    expect(first.folder).toContain(home);
    const calls = await pipCalls();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toMatch(/ install .*milvus-lite==9\.9\.9 pymilvus==8\.8\.8$/);
  });

  it('tells what it installs, where, how big, and how it goes', async () => {
    const { folder: where } = await install({ pip: 'echo "  Downloading a.whl (12 MB)"' });
    expect(lines).toEqual([
      `Installing milvus-lite==9.9.9 pymilvus==8.8.8 (355 MB) once, into ${where}`,
      '  Downloading a.whl (12 MB)',
      expect.stringMatching(/^Installed in \d+ s\.$/),
    ]);
  });

  it('installs anew when the Python it was built with is gone', async () => {
    const first = await install({ pip: counting() });
    await rm(first.python);
    const second = await install({ pip: counting() });
    expect(existsSync(second.python)).toBe(true);
    expect(await pipCalls()).toHaveLength(2);
    expect(existsSync(first.folder)).toBe(false);
  });

  it('shows the end of what pip said, and leaves nothing behind to be taken for an installation', async () => {
    const failure = install({
      pip: 'echo "Could not fetch URL"; echo "ERROR: No matching distribution"; exit 1',
    });
    await expect(failure).rejects.toThrow(
      /pip could not install milvus-lite==9.9.9.*PIP_INDEX_URL.*MILVUS_PYTHON.*Could not fetch URL\n {4}ERROR: No matching/s,
    );
    expect(await readdir(home)).toEqual([]);
    await expect(install({})).resolves.toHaveProperty('python');
  });

  it('names the package that Debian keeps the venv module in', async () => {
    const venv = 'echo "The virtual environment was not created because ensurepip is not available."; exit 1';
    await expect(install({ venv })).rejects.toThrow(
      /apt install python3-venv\.\n.*ensurepip is not available/s,
    );
  });

  it('does not wait for a hanging pip without end', async () => {
    await expect(
      install({ pip: 'echo "Collecting numpy"; exec sleep 60' }, { timeoutMs: 1_000 }),
    ).rejects.toThrow(/pip did not install .* within 1 s.*Collecting numpy/s);
  });
});

describe('pythonEnvironment in several processes', () => {
  let sources: CompiledSources;
  beforeAll(async () => {
    sources = await CompiledSources.make();
  });
  afterAll(() => sources.remove());

  /** pip that ends when `openGate` was called, or the test is over. */
  async function gatedPython(): Promise<void> {
    await fakePython(join(folder, 'bin'), 'python3', {
      pip: counting(`while [ -d ${folder} ] && [ ! -e ${join(folder, 'gate')} ]; do sleep 0.02; done`),
    });
  }
  const openGate = () => writeFile(join(folder, 'gate'), '');

  function installer(timeoutMs = 60_000): NodeScript {
    return sources.run(
      `
      import { pythonEnvironment } from './lib/testing/python-environment.js';
      const found = await pythonEnvironment(${JSON.stringify(PLAN)}, {
        python: ${JSON.stringify(join(folder, 'bin', 'python3'))},
        cacheFolder: ${JSON.stringify(cacheFolder)},
        timeoutMs: ${timeoutMs},
        log: line => console.log(line),
      });
      console.log('folder=' + found.folder);
      `,
    );
  }

  it.each([
    ['NESTJS_MILVUS_CACHE', (value: string) => value],
    ...(process.platform === 'linux'
      ? [['XDG_CACHE_HOME', (value: string) => join(value, 'nestjs-milvus')] as const]
      : []),
  ] as const)('keeps the environments where %s says', async (variable, expected) => {
    const python = await fakePython(join(folder, 'bin'), 'python3');
    const { output } = await sources.run(
      `
      import { pythonEnvironment } from './lib/testing/python-environment.js';
      const plan = { packages: ['a==1'], size: '' };
      const found = await pythonEnvironment(plan, { python: ${JSON.stringify(python)}, log: () => {} });
      console.log(found.folder);
      `,
      { NESTJS_MILVUS_CACHE: '', [variable]: cacheFolder },
    ).exit;
    expect(output).toContain(join(expected(cacheFolder), 'a-1'));
  });

  it('lets one install and the others wait for it', async () => {
    await gatedPython();
    const one = installer();
    await one.sees(/Installing/);
    const other = installer();
    await other.sees(/Waiting for another process/);
    await openGate();
    const [, folderOfOne] = await one.sees(/folder=(.*)/);
    const [, folderOfOther] = await other.sees(/folder=(.*)/);
    expect(folderOfOther).toBe(folderOfOne);
    expect(await pipCalls()).toHaveLength(1);
    expect(existsSync(join(home, 'lock'))).toBe(false);
  });

  it('takes over from one that died, and clears its half-made folder away', async () => {
    await gatedPython();
    const dying = installer();
    const [, abandoned = ''] = await dying.sees(/into (.*)/);
    dying.kill();
    await dying.exit;
    const heir = installer();
    await heir.sees(/Installing/);
    expect(existsSync(abandoned)).toBe(false);
    await openGate();
    await heir.sees(/folder=/);
    expect((await readdir(home)).filter(name => name.startsWith('build-'))).toHaveLength(1);
  });

  it('takes over while it waits', async () => {
    await gatedPython();
    const dying = installer();
    await dying.sees(/Installing/);
    const heir = installer();
    await heir.sees(/Waiting/);
    dying.kill();
    await heir.sees(/Installing/);
    await openGate();
    await heir.sees(/folder=/);
  });

  it('gives up after a time, and names the lock', async () => {
    await gatedPython();
    const one = installer();
    await one.sees(/Installing/);
    const { code, output } = await installer(300).exit;
    expect(code).toBe(1);
    expect(output).toContain('for more than 0.3 s');
    expect(output).toContain(`delete ${join(home, 'lock')}`);
    await openGate();
    await one.sees(/folder=/);
  });
});

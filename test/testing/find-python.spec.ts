import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { parsePythonVersion } from '../../lib/testing/find-python.js';
import { fakePython } from './fake-python.js';
import { CompiledSources } from './node-script.js';

const SCRIPT = `
import { findPython } from './lib/testing/find-python.js';
await findPython().then(found => console.log('found', found), error => console.log('refused', error.message));
`;

describe('parsePythonVersion', () => {
  it('reads major and minor as numbers', () => {
    expect(parsePythonVersion('Python 3.10')).toEqual([3, 10]);
    expect(parsePythonVersion('a warning\nPython 3.9.18\n')).toEqual([3, 9]);
  });

  it('knows what is no answer of a Python', () => {
    expect(parsePythonVersion('Python was not found; run without arguments to install from the Store')).toBe(
      undefined,
    );
  });
});

describe('findPython', () => {
  let sources: CompiledSources;
  let path: string;

  beforeAll(async () => {
    sources = await CompiledSources.make();
  });
  afterAll(() => sources.remove());
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), 'path-'));
  });
  afterEach(() => rm(path, { recursive: true }));

  async function find(env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { output } = await sources.run(SCRIPT, { PATH: path, MILVUS_PYTHON: '', ...env }).exit;
    return output.trim();
  }

  it('takes the first on the PATH that is new enough', async () => {
    await fakePython(path, 'python3', { version: '3.9' });
    await fakePython(path, 'python', { version: '2.7' });
    await fakePython(path, 'python3.10', { version: '3.10' });
    expect(await find()).toBe('found python3.10');
  });

  it('takes the one in MILVUS_PYTHON before any other', async () => {
    await fakePython(path, 'python3');
    const named = await fakePython(join(path, 'elsewhere'), 'my-python');
    expect(await find({ MILVUS_PYTHON: named })).toBe(`found ${named}`);
  });

  it('does not silently replace the one that was named', async () => {
    await fakePython(path, 'python3');
    const named = await fakePython(join(path, 'elsewhere'), 'my-python', { version: '3.8' });
    const answer = await find({ MILVUS_PYTHON: named });
    expect(answer).toMatch(/^refused/);
    expect(answer).toContain('MILVUS_PYTHON does not fit');
    expect(answer).toContain(`${named}: is 3.8, too old`);
  });

  it('says where it looked, what it found and what to do', async () => {
    await fakePython(path, 'python3', { version: '3.9' });
    await fakePython(path, 'python', { version: 'of the Store was not found' });
    const answer = await find();
    expect(answer).toMatch(/^refused Milvus needs Python 3\.10 or newer/);
    expect(answer).toContain('python3: is 3.9, too old');
    expect(answer).toContain('python: does not answer as Python does');
    expect(answer).toContain('python3.13: not found');
    expect(answer).toContain('apt install python3 python3-venv');
  });
});

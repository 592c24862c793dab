import { runCommand } from './run-command.js';

/** milvus-lite runs on 3.10 and later. */
const OLDEST: PythonVersion = [3, 10];

const CANDIDATES = ['python3', 'python', 'python3.13', 'python3.12', 'python3.11', 'python3.10'];

const PRINT_VERSION = 'import sys; print("Python %d.%d" % sys.version_info[:2])';

const ANSWER_TIMEOUT_MS = 20_000;

export type PythonVersion = [major: number, minor: number];

/**
 * A Python that is new enough: the one that is named (by `chosen`, else by the environment variable MILVUS_PYTHON), or the first
 * suitable one on the PATH. One that is named and does not fit is an error: silently taking another would hide the mistake.
 */
export async function findPython(chosen: string | undefined = process.env['MILVUS_PYTHON']): Promise<string> {
  const refusals: string[] = [];
  for (const candidate of chosen ? [chosen] : CANDIDATES) {
    const refusal = await refusalOf(candidate);
    if (refusal === undefined) return candidate;
    refusals.push(`${candidate}: ${refusal}`);
  }
  const named = chosen ? ` The one named by \`python\` or MILVUS_PYTHON does not fit.` : '';
  throw new Error(
    `Milvus needs Python ${OLDEST.join('.')} or newer.${named} Looked at ${refusals.join('; ')}. ` +
      'Install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python; Windows: winget install ' +
      'Python.Python.3.12), or name its executable in the environment variable MILVUS_PYTHON.',
  );
}

export function parsePythonVersion(output: string): PythonVersion | undefined {
  const match = /^Python (\d+)\.(\d+)/m.exec(output);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

async function refusalOf(python: string): Promise<string | undefined> {
  let output: string;
  try {
    ({ output } = await runCommand(python, ['-c', PRINT_VERSION], { timeoutMs: ANSWER_TIMEOUT_MS }));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'not found' : (error as Error).message;
  }
  const version = parsePythonVersion(output);
  if (!version) return 'does not answer as Python does';
  const [major, minor] = version;
  const fits = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return fits ? undefined : `is ${major}.${minor}, too old`;
}

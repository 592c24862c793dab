import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface FakePython {
  /** What it says of itself. */
  version?: string;
  /** A shell command for `-m venv`; it makes the environment when absent. */
  venv?: string;
  /** A shell command for `-m pip`. */
  pip?: string;
}

/** Puts an executable into `folder` that answers as a Python would, as far as an installation asks. */
export async function fakePython(
  folder: string,
  name: string,
  { version = '3.12', venv, pip = 'true' }: FakePython = {},
): Promise<string> {
  const file = join(folder, name);
  await mkdir(folder, { recursive: true });
  await writeFile(
    file,
    `#!/bin/sh
PATH=/usr/bin:/bin
for last; do :; done
case "$*" in
  *version_info*) echo "Python ${version}" ;;
  *"-m venv"*) ${venv ?? 'mkdir -p "$last/bin" && cp "$0" "$last/bin/python"'} ;;
  *"-m pip"*) ${pip} ;;
esac
`,
  );
  await chmod(file, 0o755);
  return file;
}

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const left = new Set<string>();
let watchesExit = false;

/** A folder that goes with the process, if not before. */
export class TemporaryFolder {
  readonly path: string;

  constructor(prefix: string) {
    mkdirSync(tmpdir(), { recursive: true });
    this.path = mkdtempSync(join(tmpdir(), prefix));
    this.removeAtExit();
  }

  /** Makes it again after `remove()`, under the same name. */
  async ensure(): Promise<void> {
    this.removeAtExit();
    await mkdir(this.path, { recursive: true });
  }

  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
    left.delete(this.path);
  }

  private removeAtExit(): void {
    left.add(this.path);
    if (watchesExit) return;
    watchesExit = true;
    process.once('exit', () => {
      for (const path of left) rmSync(path, { recursive: true, force: true });
    });
  }
}

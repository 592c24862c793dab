// One instance of the sample app as a process behind the proxy.
import { join } from 'node:path';
import { Child } from '../package-check/child.mjs';

const MAIN = join('sample-app', 'dist', 'main.js');
const START_MS = 60_000;
/** Grace, requests in flight and drain, on a machine that does other things too. */
const END_MS = 30_000;

export class Instance {
  #child;
  #proxy;
  #backend;

  /** Resolves when it is ready, and gets requests. */
  static async start(name, { root, proxy, env }) {
    const instance = new Instance();
    instance.name = name;
    instance.#proxy = proxy;
    instance.#child = new Child(process.execPath, [MAIN], {
      cwd: root,
      env: { ...env, PORT: '0', NO_COLOR: '1' },
    });
    const [, pid, url] = await instance.#child.prints(
      /\[Nest\] (\d+) .*Listening on (http:\/\/\S+)/,
      START_MS,
    );
    instance.pid = Number(pid);
    instance.url = url.replace('localhost', '127.0.0.1');
    instance.#backend = await proxy.add(name, instance.url);
    return instance;
  }

  /** SIGTERM, and its end. Resolves with what was wrong with that; `undefined` when nothing was. */
  async end() {
    this.#backend.toldToEndAt = performance.now();
    this.#child.signal('SIGTERM');
    try {
      await this.#child.succeeds(END_MS);
      return undefined;
    } catch (error) {
      await this.#child.kill();
      return `${this.name}: ${error.message}`;
    } finally {
      this.#proxy.remove(this.#backend);
    }
  }
}

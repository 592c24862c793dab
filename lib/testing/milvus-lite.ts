import { resolve } from 'node:path';
import { freePort } from './free-port.js';
import { probe } from './grpc-probe.js';
import { type InstallOptions, type PythonEnvironment, pythonEnvironment } from './python-environment.js';
import { ServerProcess, ServerStartError } from './server-process.js';
import { TemporaryFolder } from './temporary-folder.js';

/** How a `MilvusLite` is started. Everything has a default. */
export interface MilvusLiteOptions {
  /**
   * Where the data is kept. It is made when it does not exist, and never removed.
   * @defaultValue a temporary folder, removed by `stop()` or at the end of the process
   */
  dataDir?: string;
  /**
   * The port on 127.0.0.1.
   * @defaultValue a free one
   */
  port?: number;
  /**
   * The Python (3.10 or newer) that the server's environment is built with, once.
   * @defaultValue the environment variable MILVUS_PYTHON, else the first suitable one on the PATH
   */
  python?: string;
  /**
   * How long the server may take until it answers. Installing it on first use is not counted.
   * @defaultValue 60000
   */
  startTimeoutMs?: number;
  /**
   * Takes the lines that tell how the installation goes.
   * @defaultValue they go to standard error
   */
  log?: (line: string) => void;
}

const MILVUS_LITE = { packages: ['milvus-lite==3.2.2', 'pymilvus==3.0.2'], size: '355 MB on disk' };

/**
 * Arguments: data folder, port, 'temporary' or 'kept'.
 *
 * It ends when its standard input does, that is when the parent is gone, even by SIGKILL. gRPC would by default share a port that
 * another server of this user listens on, and calls would then go to either.
 */
const PROGRAM = `
import os, shutil, sys, threading

data_dir, port, fate = sys.argv[1:]

def end_with_parent():
    while os.read(0, 4096):
        pass
    if fate == 'temporary':
        shutil.rmtree(data_dir, ignore_errors=True)
    os._exit(0)

threading.Thread(target=end_with_parent, daemon=True).start()

import grpc
make_server = grpc.server
def make_exclusive_server(pool, *args, options=(), **kwargs):
    return make_server(pool, *args, options=[*options, ('grpc.so_reuseport', 0)], **kwargs)
grpc.server = make_exclusive_server

from milvus_lite.cmdline import main
main(['server', '--data-dir', data_dir, '--host', '127.0.0.1', '--port', port])
`;

const LISTENING = 'listening on';
const PORT_TAKEN = /failed to bind|address already in use/i;
const PORT_ATTEMPTS = 5;

/**
 * A real Milvus server for tests and demos, as a child process: Milvus Lite, from PyPI. The first start on a machine installs it into
 * the user's cache folder (another one can be named in NESTJS_MILVUS_CACHE) and takes 20 s or, on a slow line, minutes; later ones take a second.
 * It needs Python 3.10 or newer, and no docker.
 *
 * The server has no authentication and no TLS. It ends with the process that started it, however that ends.
 *
 * @example
 * ```ts
 * let milvus: MilvusLite;
 * beforeAll(async () => {
 *   milvus = await MilvusLite.start();
 * }, 300_000); // the first start on a machine installs it
 * afterAll(() => milvus.stop());
 *
 * it('finds what it stored', async () => {
 *   const module = await Test.createTestingModule({
 *     imports: [MilvusModule.forRoot({ address: milvus.address })],
 *   }).compile();
 * });
 * ```
 *
 * @example How an application takes an outage
 * ```ts
 * await milvus.kill();
 * await expect(search()).rejects.toThrow(MilvusUnavailableError);
 * await milvus.restart(); // same port, same data
 * await expect(search()).resolves.toHaveLength(10);
 * ```
 *
 * @public
 */
export class MilvusLite {
  private constructor(
    /** The port on 127.0.0.1. It stays the same over restarts. */
    readonly port: number,
    /** Where the data is. */
    readonly dataDir: string,
    private readonly server: ServerProcess,
  ) {}

  /** Starts a server and resolves when it answers. */
  static async start(options: MilvusLiteOptions = {}): Promise<MilvusLite> {
    const environment = await installed(options);
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort());
      try {
        return await MilvusLite.startOn(port, environment, options);
      } catch (error) {
        const portTaken = error instanceof ServerStartError && PORT_TAKEN.test(error.output);
        if (!portTaken || options.port !== undefined || attempt === PORT_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Installs the server if it is not there yet. `start()` does so by itself; this is for doing it before the clock of a test runs.
   *
   * @example jest.config.js: `globalSetup: './install-milvus.js'`
   * ```ts
   * export default () => MilvusLite.install();
   * ```
   */
  static async install(options: Pick<MilvusLiteOptions, 'python' | 'log'> = {}): Promise<void> {
    await installed(options);
  }

  /** `127.0.0.1:port`, as a client takes it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** The server's process, or `undefined` while it does not run. */
  get pid(): number | undefined {
    return this.server.pid;
  }

  /** Shuts the server down in good order, and removes the data folder if it is a temporary one. */
  stop(): Promise<void> {
    return this.server.stop();
  }

  /** Ends the server at once, as a crash would. Resolves when the process is gone. The data stays for `restart()`. */
  kill(): Promise<void> {
    return this.server.kill();
  }

  /**
   * Starts the server again on the same port, after shutting it down if it runs. It has its data back, except after `stop()` removed
   * a temporary folder. An indexed collection comes back released: call `loadCollection`.
   */
  restart(): Promise<void> {
    return this.server.restart();
  }

  /** `await using milvus = await MilvusLite.start()` stops it at the end of the block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private static async startOn(
    port: number,
    { python }: PythonEnvironment,
    { dataDir, startTimeoutMs = 60_000 }: MilvusLiteOptions,
  ): Promise<MilvusLite> {
    const temporaryFolder = dataDir === undefined ? new TemporaryFolder('milvus-lite-') : undefined;
    const folder = temporaryFolder?.path ?? resolve(dataDir as string);
    const server = new ServerProcess({
      name: `Milvus Lite on port ${port}`,
      command: python,
      args: ['-I', '-u', '-c', PROGRAM, folder, String(port), temporaryFolder ? 'temporary' : 'kept'],
      isReady: async output =>
        output.includes(LISTENING) && (await probe(`127.0.0.1:${port}`, 'GetVersion')).status === 0,
      startTimeoutMs,
      stopSignal: 'SIGINT',
      ...(temporaryFolder && { temporaryFolder }),
    });
    try {
      await server.start();
    } catch (error) {
      await temporaryFolder?.remove();
      throw error;
    }
    return new MilvusLite(port, folder, server);
  }
}

function installed({ python, log = toStandardError }: MilvusLiteOptions): Promise<PythonEnvironment> {
  const options: InstallOptions = { python, log };
  return pythonEnvironment(MILVUS_LITE, options);
}

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}

import assert from 'node:assert/strict';
import { access } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { Child, run } from './child.mjs';
import { check } from './report.mjs';
import { deadAddress, Tap } from './tap.mjs';

const INSTALL_MS = 300_000;
const COMPILE_MS = 180_000;
const START_MS = 30_000;
/** The default `startup.timeoutMs` of 10 s, and what a busy machine needs to load the app. */
const GIVE_UP_MS = 20_000;

/** One of the two applications, in a temporary folder. */
export class App {
  constructor(title, folder) {
    this.title = title;
    this.folder = folder;
  }

  check(what, work) {
    return check(`${this.title}: ${what}`, work);
  }

  async install(tarball) {
    await this.check('npm install', () =>
      run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball], {
        cwd: this.folder,
        timeoutMs: INSTALL_MS,
      }),
    );
    await this.check('shares Nest, Terminus and the SDK with the package', async () => {
      for (const peer of ['@nestjs', '@zilliz', 'rxjs', 'reflect-metadata']) {
        const copy = join(this.folder, 'node_modules', 'nestjs-milvus', 'node_modules', peer);
        const isThere = await access(copy).then(
          () => true,
          () => false,
        );
        assert(!isThere, `the package got a copy of its own: ${copy}`);
      }
    });
  }

  compile() {
    return this.check('tsc', () => this.tsc('tsconfig.json'));
  }

  checkTypesAs(resolution) {
    return this.check(`tsc, as module ${resolution}`, () => this.tsc(`tsconfig.${resolution}.json`));
  }

  tsc(project) {
    return this.#node(['node_modules/typescript/bin/tsc', '-p', project], {}, COMPILE_MS);
  }

  test() {
    return this.check('jest, with the lines of the README', () =>
      this.#node(
        ['node_modules/jest/bin/jest.js'],
        { NODE_OPTIONS: '--experimental-vm-modules' },
        COMPILE_MS,
      ),
    );
  }

  #node(args, env, timeoutMs) {
    return run(process.execPath, args, { cwd: this.folder, env, timeoutMs });
  }

  /** As a process, with a Milvus. */
  async serve(milvusPort) {
    await this.#withServer(milvusPort, {}, async (server, url, tap) => {
      await this.check('/health is up', () => checkHealth(url));
      await this.check('creates, inserts and searches', () => this.#checkRoundTrip(url));
      await this.check('SIGTERM: exit code 0, no TCP connection left', async () => {
        assert(tap.open.size > 0, 'there was no TCP connection to Milvus before');
        server.signal('SIGTERM');
        const { code, signal } = await server.ends(20_000);
        if (code !== 0) throw server.fault(`ended with ${signal ?? `code ${code}`}, expected code 0`);
        await tap.empties(1_000);
      });
    });
    await this.#withServer(milvusPort, { LOG_FORMAT: 'json' }, async (server, url, tap) => {
      await this.check('app.close(): no TCP connection left, and the process ends by itself', async () => {
        await checkHealth(url);
        await server.asks('close', 'closed', 15_000);
        await tap.empties(1_000);
        server.disconnect();
        await server.succeeds(5_000);
      });
      await this.check('its JSON log has the fields of a client', () => checkLog(server));
    });
  }

  async #withServer(milvusPort, env, use) {
    const tap = await Tap.to(milvusPort);
    const server = this.#start(tap.address, env);
    try {
      const [, url] = await this.check('starts', () => server.prints(/Listening on (http\S+)/, START_MS));
      await use(server, url, tap);
    } finally {
      await server.kill();
      tap.close();
    }
  }

  async #checkRoundTrip(url) {
    const answer = await getJson(`${url}/round-trip/${this.title.replace(/\W+/g, '_')}`);
    assert.deepEqual(answer, {
      status: 200,
      body: {
        inserted: 3,
        found: [
          [1, 'north'],
          [3, 'north by east'],
        ],
      },
    });
  }

  async failsWithoutMilvus() {
    const address = await deadAddress();
    const server = this.#start(address);
    await this.check(
      'without Milvus: ends with MilvusInitializationError, which names clients and address',
      async () => {
        try {
          const { code } = await server.ends(GIVE_UP_MS);
          if (code === 0) throw server.fault('ended with code 0, as if it had started');
          for (const expected of ['MilvusInitializationError', '"search"', '"ingest"', address]) {
            if (!server.output.includes(expected)) throw server.fault(`did not say ${expected}`);
          }
        } finally {
          await server.kill();
        }
      },
    );
  }

  #start(address, env = {}) {
    return new Child(process.execPath, ['dist/src/main.js'], {
      cwd: this.folder,
      env: { MILVUS_ADDRESS: address, NO_COLOR: '1', ...env },
      ipc: true,
    });
  }
}

async function checkHealth(url) {
  const { status, body } = await getJson(`${url}/health`);
  const { clients } = body.info?.milvus ?? {};
  assert.deepEqual(
    {
      status,
      all: body.status,
      search: clients?.search?.status,
      ingest: clients?.ingest?.status,
      one: body.info?.search?.status,
    },
    { status: 200, all: 'ok', search: 'up', ingest: 'up', one: 'up' },
    JSON.stringify(body),
  );
}

/** Nest 12 writes the fields as `params`; in Nest 11 they are in the message. */
function checkLog(server) {
  const lines = server.output
    .split('\n')
    .filter(line => line.startsWith('{') && line.includes('"context":"Milvus:search"'))
    .map(line => JSON.parse(line));
  if (lines.length === 0) throw server.fault('logged nothing of the client "search"');
  for (const { message, params = message } of lines) {
    assert.equal(params.client, 'search', `no field "client" in ${JSON.stringify(lines)}`);
    assert.equal(typeof (message.message ?? message), 'string', 'no sentence');
  }
}

/** Without keep-alive: nothing of ours may hold the application's HTTP server open. */
async function getJson(url) {
  const request = get(url, { agent: false, signal: AbortSignal.timeout(30_000) });
  const response = await new Promise((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  const text = (await response.setEncoding('utf8').toArray()).join('');
  try {
    return { status: response.statusCode, body: JSON.parse(text) };
  } catch {
    throw new Error(`GET ${url} answered ${response.statusCode}, and no JSON: ${text.slice(0, 500)}`);
  }
}

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { ClientRuntime } from '../../../lib/client/client-runtime.js';
import { RpcError } from '../../../lib/endpoint/rpc.js';
import { MilvusError } from '../../../lib/errors/milvus-error.js';
import { MilvusHealthIndicator } from '../../../lib/health/milvus.health.js';
import { MilvusRegistry } from '../../../lib/module/milvus.registry.js';
import { PoolEvents } from '../../../lib/telemetry/pool-events.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { printClients, secrets, watchedClasses } from '../../support/secret-witness.js';
import { SECRETS_OF_TESTS } from '../../support/secret-witness-list.mjs';
import { KnownSecrets } from '../../support/secret-witness-secrets.js';

const SECRET = 'sw0rdfish';
const BASE64 = Buffer.from(`ann:${SECRET}`).toString('base64');
const client = () => pooledClient('127.0.0.1:1', { username: 'ann', password: SECRET });

afterEach(closeClients);

function sources(folder: string): string[] {
  const root = join(import.meta.dirname, '../../..', folder);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.ts'))
    .map(file => readFileSync(join(root, file), 'utf8'));
}

/** What it says of this; taken from it, so that this test does not fail. */
async function found(): Promise<string> {
  await Promise.resolve();
  const all = secrets.take();
  expect(all.join()).not.toContain(SECRET);
  return all.join('\n');
}

describe('the secret witness', () => {
  it('finds nothing where there is nothing', async () => {
    const each = client();
    await failureOf(each.ping({ timeoutMs: 50 }));
    each.pool.stats();
    new Logger('test').debug('of ann');
    printClients();

    expect(await found()).toBe('');
  });

  it.each([
    ['a message', () => new MilvusError(`refused ${SECRET}`, { client: 'c' }), 'refused ***'],
    ['a header', () => new MilvusError(`sent ${BASE64} in vain`, { client: 'c' }), 'sent *** in vain'],
    [
      'a cause',
      () => new MilvusError('refused', { client: 'c', cause: new Error('one', { cause: { a: [SECRET] } }) }),
      "[cause]: { a: [ '***',",
    ],
    [
      'a field that is set later',
      () => Object.assign(new RpcError('Search', 16, 'no', { at: 'line' }), { of: SECRET }),
      "of: '***'",
    ],
    [
      'a hidden field',
      () => Object.defineProperty(new MilvusError('no', { client: 'c' }), 'x', { value: SECRET }),
      "[x]: '***'",
    ],
  ])('finds it in an error: %s', async (_where, make, expected) => {
    client();
    make();

    expect(await found()).toContain(expected);
  });

  it('finds it in a log line, though no level is on', async () => {
    client();
    new Logger('Milvus:c').debug(`connected with ${SECRET}`, { leases: 2 });
    new Logger('Milvus:c').warn('refused', { as: SECRET });

    expect(await found()).toMatch(/password of "ann", in a log line at debug: .*\n.*in a log line at warn: /);
  });

  it('finds it in statistics, an event, health and reports', async () => {
    const each = client();
    const { stats } = ClientRuntime.prototype;
    ClientRuntime.prototype.stats = () => ({ ...stats, address: `http://ann:${SECRET}@h` }) as never;
    try {
      each.pool.stats();
    } finally {
      ClientRuntime.prototype.stats = stats;
    }
    expect(await found()).toContain('the result of ClientPool.stats()');

    const told = new PoolEvents('c', { stateChanged: () => {} } as never);
    told.stateChanged('ready', 'unavailable', `wrong password ${SECRET}`);
    expect(await found()).toContain('in an event');

    const registry = Object.create(MilvusRegistry.prototype) as MilvusRegistry;
    Object.assign(registry, {
      get: () => {
        throw new Error(`refused ${SECRET}`);
      },
    });
    await new MilvusHealthIndicator(registry).pingCheck('milvus');
    expect(await found()).toContain('the result of MilvusHealthIndicator.pingCheck()');
  });

  it('finds it in a client that is printed', async () => {
    Object.assign(client(), { given: { password: SECRET } });
    await Promise.resolve();
    printClients();

    expect(await found()).toContain('in a client that is printed');
  });

  it('knows every class that it watches', () => {
    const lib = sources('lib').join('\n');

    expect(watchedClasses.filter(name => !lib.includes(`export class ${name} `))).toEqual([]);
  });

  it('has a list of the secrets that stand in tests', () => {
    const written = [...sources('test'), ...sources('sample-app/test')].flatMap(source => [
      ...source.matchAll(/\b(?:password|Password|SECRET|WRONG)'? ?[:=] '([^'\n]{6,})'/g),
      ...source.matchAll(/\btoken: '([^' \n]{6,})'/g),
    ]);
    const harmless = ['Milvus', 'secret', 'secret2', 'say "yes"'];
    const missing = written
      .map(([, secret]) => secret!)
      .filter(secret => !harmless.includes(secret) && !SECRETS_OF_TESTS.some(each => secret.includes(each)));

    expect(written.length).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });
});

describe('a known secret', () => {
  const shown = (given: object, value: unknown): string[] => {
    const known = new KnownSecrets();
    known.learn(given);
    known.search('here', value);
    return known.take();
  };
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it.each<[string, object, unknown]>([
    ['a token', { token: 'an-api-key' }, 'x an-api-key'],
    ['the password within a token', { token: 'root:hunter2' }, 'hunter2'],
    ['the password of a URL', { address: ['h', 'http://root:p%40ssword@h'] }, 'p@ssword'],
    ['the password of a URL as it stands there', { address: 'http://root:p%40ssword@h' }, 'p%40ssword'],
    ['a password in JSON', { username: 'a', password: 'say "yes"' }, JSON.stringify({ a: 'say "yes"' })],
    ['a common password with its user', { token: 'root:Milvus' }, 'root:Milvus'],
    ['a common password in a header', { token: 'root:Milvus' }, { authorization: base64('root:Milvus') }],
    ['a short password in a header', { username: 'root', password: 'p' }, base64('root:p')],
  ])('is %s', (_what, given, value) => {
    expect(shown(given, value)).toHaveLength(1);
  });

  it.each<[string, object, unknown]>([
    ['a common word alone', { token: 'root:Milvus' }, 'Milvus v2.6'],
    ['a short one alone', { username: 'root', password: 'p' }, 'a p b'],
    ['an empty one', { username: 'root', password: '' }, `root:${base64('root:')}`],
    ['no text', { token: 5 }, 'a 5'],
  ])('is not %s', (_what, given, value) => {
    expect(shown(given, value)).toEqual([]);
  });
});

describe('the search of an output', () => {
  const search = (...lines: string[]): { status: number | null; stderr: string } => {
    const folder = mkdtempSync(join(tmpdir(), 'secret-search-'));
    try {
      const file = join(folder, 'log');
      writeFileSync(file, lines.join('\n'));
      const script = join(import.meta.dirname, '../../../scripts/secret-search.mjs');
      return spawnSync(process.execPath, [script, file], { encoding: 'utf8', timeout: 20_000 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  it('fails for a secret and for its header, and does not repeat them', () => {
    const header = Buffer.from('root:hunter2').toString('base64');
    const { status, stderr } = search(
      'one',
      'as \u001b[33mhunter2\u001b[39m',
      `{"authorization":"${header}"}`,
    );

    expect(status).toBe(1);
    expect(stderr).toContain('line 2: as ***');
    expect(stderr).toContain('line 3: {"authorization":"***"}');
  });

  it('passes over what jest quotes of the tests', () => {
    expect(search("  > 12 |   password: 'hunter2'", '  ● refuses hunter2', 'Milvus v2.6').status).toBe(0);
  });
});

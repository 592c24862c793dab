import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import * as library from '../../../lib/index.js';
import { MilvusError, type PooledMilvusClient } from '../../../lib/index.js';
import { optionDefaults } from '../../../lib/options/defaults.js';
import { resolveClientOptions } from '../../../lib/options/resolve-options.js';
import { MilvusLite } from '../../../lib/testing/index.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { codeBesideRegions } from '../../support/snippets.js';
import { failure, StubServer, status } from '../../support/stub-server.js';

const here = import.meta.dirname;
const page = readFileSync(join(here, '../../../docs/coming-from.md'), 'utf8');
/** Our names: what stands in backticks outside of the code blocks, and not in the first column of a table. */
const names = page
  .replace(/```[\s\S]*?\n```/g, '')
  .split('\n')
  .map(line => line.replace(/^\|[^|]*\|/, ''))
  .flatMap(line => [...line.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
const unique = (found: string[]): string[] => [...new Set(found)].sort();

/** The rows of a table of numbers: `[code, name, …]`, without the backticks. */
function rowsUnder(heading: string): string[][] {
  const [, section = ''] = page.split(`\n### ${heading}\n`);
  return [...section.split('\n### ')[0]!.matchAll(/^\| (\d+) \|(.*)\|$/gm)].map(([, code, rest]) => [
    code!,
    ...rest!.split('|').map(cell => cell.replaceAll('`', '').trim()),
  ]);
}

const milvusCodes = rowsUnder('Milvus');
const grpcCodes = rowsUnder('gRPC');

describe('docs/coming-from.md', () => {
  it('shows only code that is run', () => {
    const code = codeBesideRegions(page, here);
    expect(code).toHaveLength(3);
    for (const [{ name, text }, runs] of code) expect([name, text]).toEqual([name, runs]);
  });

  const errors = unique(names.filter(name => /^Milvus\w*Error$/.test(name)));

  it.each(errors)('names the error %s, which is exported', name => {
    const exported = (library as unknown as Record<string, typeof MilvusError | undefined>)[name];
    expect(exported === MilvusError || exported?.prototype instanceof MilvusError).toBe(true);
  });

  const options = unique(
    names.flatMap(name => /^(?:pool|timeouts|startup|shutdown|tls)(?:\.\w+)+/.exec(name) ?? []),
  );

  it.each(options)('names the option %s, which exists', path => {
    expect(faultsOf(path)).not.toContain('is not an option');
  });

  it('would tell an option that does not exist', () => {
    expect(faultsOf('pool.keepalive.interval')).toContain('is not an option');
  });

  const methods = unique(names.flatMap(name => /^client\.(\w+)\(/.exec(name)?.[1] ?? []));

  it.each(methods)('names the method %s, which exists', name => {
    const client = pooledClient('localhost:1') as unknown as Record<string, unknown>;
    expect(client[name]).toBeInstanceOf(Function);
  });

  const defaults = [...page.matchAll(/`((?:pool|timeouts|startup)[\w.]+)`,? (\d+)/g)].map(
    ([, option, value]) => [option!, Number(value)] as const,
  );

  it.each(defaults)('says that the default of %s is %d', (path, value) => {
    const actual = path
      .split('.')
      .reduce<unknown>((group, key) => (group as Record<string, unknown>)[key], optionDefaults);
    expect(actual).toBe(value);
  });

  it('names many of each', () => {
    expect(errors.length).toBeGreaterThan(14);
    expect(options.length).toBeGreaterThan(20);
    expect(methods.length).toBeGreaterThan(14);
    expect(defaults.length).toBeGreaterThan(7);
  });
});

describe('its numbers', () => {
  let stub: StubServer;
  let client: PooledMilvusClient;

  beforeAll(async () => {
    stub = await StubServer.start();
    client = pooledClient(stub.address);
  });

  afterAll(async () => {
    await closeClients();
    await stub.stop();
  });

  it('are many', () => {
    expect(milvusCodes.length).toBeGreaterThan(30);
    expect(grpcCodes.map(([code]) => Number(code))).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
  });

  it.each(milvusCodes)('Milvus %s %s (%s) is a %s', async (code, _name, errorName, type) => {
    stub.on('DescribeCollection', () => ({ status: failure(Number(code), errorName, 'because') }));
    const error = await failureOf(client.describeCollection({ collection_name: 'numbers' }));
    expect(error).toMatchObject({
      name: type,
      errorCode: Number(code),
      errorName,
      reason: 'because',
    });
  });

  it.each(grpcCodes)('gRPC %s %s is a %s', async (code, _name, type) => {
    stub.always('DescribeCollection', status(Number(code), 'because'));
    const error = await failureOf(client.describeCollection({ collection_name: 'numbers' }));
    expect(error).toMatchObject({ name: type, grpcCode: Number(code) });
  });
});

describe('its examples', () => {
  let milvus: MilvusLite;
  let app: Awaited<ReturnType<typeof NestFactory.createApplicationContext>>;
  let example: typeof import('./coming-from-names.js');

  beforeAll(async () => {
    milvus = await MilvusLite.start();
    process.env.MILVUS_ADDRESS = milvus.address;
    example = await import('./coming-from-names.js');

    @Module({ imports: example.milvus, providers: [example.Collections] })
    class AppModule {}

    app = await NestFactory.createApplicationContext(AppModule, { abortOnError: false });
    await app.get(example.Collections).archive.createCollection({
      collection_name: 'moved',
      dimension: 4,
      index_params: { index_type: 'AUTOINDEX', metric_type: 'COSINE' },
    });
  }, 300_000);

  afterAll(async () => {
    await app?.close();
    await milvus?.stop();
  });

  it('clients by the names that were aliases', async () => {
    const collections = app.get(example.Collections);
    expect(collections.archive.name).toBe('archive');
    expect(await collections.names('default')).toEqual(['moved']);
    await expect(collections.names('unknown')).rejects.toMatchObject({ code: 'MILVUS_CLIENT_NOT_FOUND' });
  });

  it('code that looks at statuses', async () => {
    const { rowsOf } = await import('./coming-from-statuses.js');
    const { archive } = app.get(example.Collections);
    expect(await rowsOf(archive, 'moved')).toBe(0);
    expect(await rowsOf(archive, 'missing')).toBeUndefined();
  });

  it('code that looks at numbers', async () => {
    const { fieldsOf } = await import('./coming-from-codes.js');
    const { archive } = app.get(example.Collections);
    expect(await fieldsOf(archive, 'moved')).toEqual(['id', 'vector']);
    expect(await fieldsOf(archive, 'missing')).toBeUndefined();
  });
});

/** What is wrong with an option that has a value of no use, as the application is told at boot. */
function faultsOf(path: string): string {
  const value = path.split('.').reduceRight<unknown>((inner, key) => ({ [key]: inner }), null);
  try {
    resolveClientOptions('test', { address: 'localhost:1', ...(value as object) });
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${path} takes null`);
}

import { afterEach, describe, expect, it } from '@jest/globals';
import type { DynamicModule } from '@nestjs/common';
import {
  MilvusClientExistsError,
  MilvusConfigurationError,
  MilvusModule,
  type MilvusModuleAsyncOptions,
} from '../../lib/index.js';
import { bootApp, closeApps } from '../support/nest-app.js';
import { failureOf } from '../support/pooled-client.js';
import { lazy } from './feature.js';

afterEach(closeApps);

const bootError = (...imports: DynamicModule[]) => failureOf(bootApp({ imports }));

class Factory {
  createMilvusOptions() {
    return lazy();
  }
}

describe('the same name twice', () => {
  it.each<[string, () => DynamicModule[], string, string]>([
    [
      'two forRoot',
      () => [MilvusModule.forRoot(lazy()), MilvusModule.forRoot(lazy('127.0.0.1:2'))],
      'default',
      'MilvusModule.forRoot (default)',
    ],
    [
      'forRoot and forRootAsync',
      () => [
        MilvusModule.forRoot({ name: 'read', ...lazy() }),
        MilvusModule.forRootAsync({ name: 'read', useFactory: () => lazy() }),
      ],
      'read',
      'MilvusModule.forRootAsync (read)',
    ],
    [
      'one of several names',
      () => [
        MilvusModule.forRootAsync({ names: ['a', 'b'], useFactory: () => ({ a: lazy(), b: lazy() }) }),
        MilvusModule.forRootAsync({ names: ['b', 'c'], useFactory: () => ({ b: lazy(), c: lazy() }) }),
      ],
      'b',
      'MilvusModule.forRootAsync (b, c)',
    ],
  ])('is refused and named: %s', async (_what, imports, name, origin) => {
    const error = await bootError(...imports());

    expect(error).toBeInstanceOf(MilvusClientExistsError);
    expect(error).toMatchObject({ code: 'MILVUS_CLIENT_EXISTS', client: name });
    expect(error.message).toMatch(
      new RegExp(`"${name}" already exists: it is registered by \\S+.*and again by`),
    );
    expect(error.message).toContain(origin);
  });

  it('is refused within one list of names', async () => {
    const register = async () =>
      bootApp({
        imports: [
          MilvusModule.forRootAsync({
            names: ['read', 'write', 'read'],
            useFactory: () => ({ read: lazy(), write: lazy() }),
          }),
        ],
      });
    const error = await failureOf(register());

    expect(error.message).toMatch(/"read"/);
    expect(['MILVUS_CLIENT_EXISTS', 'MILVUS_CONFIGURATION']).toContain(error['code']);
  });
});

describe('names and results that do not match', () => {
  it.each<[string, string[], unknown, RegExp[]]>([
    [
      'a declared name is missing',
      ['read', 'write'],
      { read: lazy() },
      [
        /"write" is declared, but missing from the factory's result/,
        /for "read", "write"/,
        /returned: "read"/,
      ],
    ],
    [
      'a result is not declared',
      ['read'],
      { read: lazy(), wirte: lazy() },
      [/"wirte" is in the factory's result, but not declared/, /for "read"/],
    ],
    [
      'a name is mistyped',
      ['read', 'write'],
      { read: lazy(), wirte: lazy() },
      [/"write" is declared, but missing/, /"wirte" is in the factory's result/],
    ],
    ['the result is nothing', ['read'], undefined, [/returned undefined/]],
    ['the result is null', ['read'], null, [/returned null/]],
    ['the result is empty', ['read'], {}, [/"read" is declared, but missing/, /returned: nothing/]],
    [
      'the name is one that every object has',
      ['constructor'],
      {},
      [/"constructor" is declared, but missing/],
    ],
  ])('are told apart and named: %s', async (_what, names, result, messages) => {
    const error = await bootError(MilvusModule.forRootAsync({ names, useFactory: () => result as never }));

    expect(error).toBeInstanceOf(MilvusConfigurationError);
    for (const message of messages) expect(error.message).toMatch(message);
  });
});

describe('forRootAsync', () => {
  it.each<[string, Partial<MilvusModuleAsyncOptions>]>([
    ['none', {}],
    ['two', { useFactory: () => lazy(), useClass: Factory }],
    ['two others', { useClass: Factory, useExisting: Factory }],
    ['all', { useFactory: () => lazy(), useClass: Factory, useExisting: Factory }],
  ])('refuses %s of useFactory, useClass and useExisting, at once', (_what, sources) => {
    const register = () => MilvusModule.forRootAsync({ name: 'read', ...sources } as never);

    expect(register).toThrow(MilvusConfigurationError);
    expect(register).toThrow(/"read": give exactly one of `useFactory`, `useClass` and `useExisting`/);
  });
});

describe('an empty list of names', () => {
  it('is refused at once', () => {
    expect(() => MilvusModule.forRootAsync({ names: [], useFactory: () => ({}) })).toThrow(
      /`names` is empty/,
    );
  });
});

describe('options that cannot work', () => {
  it.each<[string, DynamicModule]>([
    ['forRoot', MilvusModule.forRoot({ name: 'read', address: 'h', pool: { maxConections: 3 } } as never)],
    [
      'forRootAsync',
      MilvusModule.forRootAsync({
        name: 'read',
        useFactory: () => ({ address: 'h', pool: { maxConections: 3 } }) as never,
      }),
    ],
    [
      'one of several',
      MilvusModule.forRootAsync({
        names: ['good', 'read'],
        useFactory: () => ({ good: lazy(), read: { address: 'h', pool: { maxConections: 3 } } }) as never,
      }),
    ],
  ])('are named with their client at boot: %s', async (_what, milvus) => {
    const error = await bootError(milvus);

    expect(error).toBeInstanceOf(MilvusConfigurationError);
    expect(error).toMatchObject({ client: 'read' });
    expect(error.message).toMatch(/['"]read['"]/);
    expect(error.message).toMatch(/pool\.maxConections/);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'localhost:19530'],
  ])('are refused when a factory returns %s', async (_what, options) => {
    const error = await bootError(
      MilvusModule.forRootAsync({ name: 'read', useFactory: () => options as never }),
    );

    expect(error).toBeInstanceOf(MilvusConfigurationError);
    expect(error.message).toMatch(/['"]read['"]/);
  });

  it('show no secret', async () => {
    const error = await bootError(
      MilvusModule.forRoot({
        address: 'http://root:hunter2@h',
        token: 'hunter3',
        username: 'root',
        password: 'hunter4',
        retries: 3,
      } as never),
    );

    expect(error).toBeInstanceOf(MilvusConfigurationError);
    expect(error.message).not.toMatch(/hunter/);
  });
});

import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import {
  getMilvusToken,
  InjectMilvus,
  MilvusHealthIndicator,
  MilvusModule,
  MilvusRegistry,
  PooledMilvusClient,
} from '../../lib/index.js';
import { bootApp, closeApps } from '../support/nest-app.js';
import { lazy, Search, SearchModule } from './feature.js';

afterEach(closeApps);

describe('forRoot', () => {
  it('provides the client named "default" to a module that imports nothing', async () => {
    const app = await bootApp({ imports: [SearchModule, MilvusModule.forRoot(lazy())] });
    const { client } = app.get(Search, { strict: false });

    expect(client).toBeInstanceOf(PooledMilvusClient);
    expect(client).toBeInstanceOf(MilvusClient);
    expect(client.name).toBe('default');
    expect(client).toBe(app.get(getMilvusToken()));
    expect(client).toBe(app.get(MilvusRegistry).get());
  });

  it('provides several, each by its name', async () => {
    @Injectable()
    class Both {
      constructor(
        @InjectMilvus('read') readonly read: PooledMilvusClient,
        @InjectMilvus('write') readonly write: PooledMilvusClient,
      ) {}
    }
    @Module({ providers: [Both] })
    class Feature {}
    const app = await bootApp({
      imports: [
        Feature,
        MilvusModule.forRoot({ name: 'read', ...lazy() }),
        MilvusModule.forRoot({ name: 'write', ...lazy() }),
      ],
    });
    const { read, write } = app.get(Both, { strict: false });

    expect([read.name, write.name]).toEqual(['read', 'write']);
    expect(read).not.toBe(write);
    expect(app.get(MilvusRegistry).list()).toEqual(['read', 'write']);
  });

  it('injects into a property as well', async () => {
    @Injectable()
    class Holder {
      @InjectMilvus('read') readonly client!: PooledMilvusClient;
      @Inject(MilvusRegistry) readonly registry!: MilvusRegistry;
    }
    const app = await bootApp({
      imports: [MilvusModule.forRoot({ name: 'read', ...lazy() })],
      providers: [Holder],
    });

    expect(app.get(Holder).client).toBe(app.get(Holder).registry.get('read'));
  });

  it('makes registry and health indicator available everywhere, once', async () => {
    @Module({
      providers: [
        {
          provide: 'parts',
          inject: [MilvusRegistry, MilvusHealthIndicator],
          useFactory: (...parts: unknown[]) => parts,
        },
      ],
    })
    class Feature {}
    const app = await bootApp({
      imports: [
        Feature,
        MilvusModule.forRoot({ name: 'a', ...lazy() }),
        MilvusModule.forRoot({ name: 'b', ...lazy() }),
      ],
    });
    const [registry, health] = app.get('parts', { strict: false });

    expect(registry.list()).toEqual(['a', 'b']);
    expect(health).toBeInstanceOf(MilvusHealthIndicator);
  });

  it('may be imported twice as the same object', async () => {
    const milvus = MilvusModule.forRoot(lazy());
    @Module({ imports: [milvus] })
    class Feature {}
    const app = await bootApp({ imports: [milvus, Feature] });

    expect(app.get(MilvusRegistry).list()).toEqual(['default']);
  });

  it('lets a name be any text', async () => {
    const names = ['constructor', '__proto__', 'a b', 'default:1'];
    const app = await bootApp({ imports: names.map(name => MilvusModule.forRoot({ name, ...lazy() })) });

    expect(app.get(MilvusRegistry).list()).toEqual(names);
    for (const name of names) expect(app.get<PooledMilvusClient>(getMilvusToken(name)).name).toBe(name);
  });

  it('works in an application of NestFactory', async () => {
    @Module({ imports: [MilvusModule.forRoot(lazy()), SearchModule] })
    class AppModule {}
    const app = await NestFactory.createApplicationContext(AppModule, { logger: false, abortOnError: false });

    expect(app.get(Search).client.name).toBe('default');
    await app.close();
    expect(app.get(Search).client.pool.state).toBe('closed');
  });
});

describe('two applications in one process', () => {
  it('do not see each other', async () => {
    const [one, two] = await Promise.all([
      bootApp({ imports: [MilvusModule.forRoot(lazy())] }),
      bootApp({ imports: [MilvusModule.forRoot(lazy()), MilvusModule.forRoot({ name: 'read', ...lazy() })] }),
    ]);

    expect(one.get(MilvusRegistry).list()).toEqual(['default']);
    expect(two.get(MilvusRegistry).list()).toEqual(['default', 'read']);
    expect(one.get(getMilvusToken())).not.toBe(two.get(getMilvusToken()));
    await one.close();
    expect(two.get<PooledMilvusClient>(getMilvusToken()).pool.state).toBe('idle');
  });

  it('may share the very same DynamicModule', async () => {
    const milvus = MilvusModule.forRoot(lazy());
    const [one, two] = await Promise.all([bootApp({ imports: [milvus] }), bootApp({ imports: [milvus] })]);

    expect(one.get(getMilvusToken())).not.toBe(two.get(getMilvusToken()));
  });
});

describe('overrideProvider', () => {
  it('boots without Milvus, and leaves no trace of the client', async () => {
    const fake = { search: () => 'faked' };
    const app = await bootApp(
      { imports: [SearchModule, MilvusModule.forRoot({ address: '127.0.0.1:1' })] },
      { prepare: builder => builder.overrideProvider(getMilvusToken()).useValue(fake) },
    );

    expect(app.get(Search, { strict: false }).client).toBe(fake);
    expect(app.get(MilvusRegistry).list()).toEqual([]);
  });

  it('leaves the other clients alone', async () => {
    const app = await bootApp(
      {
        imports: [
          MilvusModule.forRootAsync({
            names: ['read', 'write'],
            useFactory: () => ({ read: { address: '127.0.0.1:1' }, write: lazy() }),
          }),
        ],
      },
      { prepare: builder => builder.overrideProvider(getMilvusToken('read')).useValue({}) },
    );

    expect(app.get(MilvusRegistry).list()).toEqual(['write']);
  });
});

describe('getMilvusToken', () => {
  it('is another for each name, and the same each time', () => {
    expect(getMilvusToken()).toBe(getMilvusToken('default'));
    expect(getMilvusToken('a')).toBe(getMilvusToken('a'));
    expect(getMilvusToken('a')).not.toBe(getMilvusToken('b'));
  });
});

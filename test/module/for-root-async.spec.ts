import { afterEach, describe, expect, it } from '@jest/globals';
import { Inject, Injectable, Module, Scope } from '@nestjs/common';
import { internals } from '../../lib/client/client-internals.js';
import {
  getMilvusToken,
  type MilvusClientOptions,
  MilvusModule,
  type MilvusOptionsFactory,
  MilvusRegistry,
  PooledMilvusClient,
} from '../../lib/index.js';
import { bootApp, closeApps } from '../support/nest-app.js';
import { lazy, Search, SearchModule } from './feature.js';

afterEach(closeApps);

@Injectable()
class Settings {
  address(name = 'default') {
    return `${name}.example:19530`;
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Injectable()
class OptionsFactory implements MilvusOptionsFactory {
  static made = 0;

  constructor(@Inject(Settings) private readonly settings: Settings) {
    OptionsFactory.made++;
  }

  async createMilvusOptions(name: string): Promise<MilvusClientOptions> {
    return lazy(this.settings.address(name));
  }
}

@Module({ imports: [SettingsModule], providers: [OptionsFactory], exports: [OptionsFactory] })
class OptionsModule {}

const addressOf = (client: PooledMilvusClient) => client[internals].runtime.endpoint.name;

describe('forRootAsync', () => {
  it.each<[string, () => MilvusClientOptions | Promise<MilvusClientOptions>]>([
    ['at once', () => lazy()],
    ['later', async () => lazy()],
  ])('takes options that useFactory returns %s', async (_when, useFactory) => {
    const app = await bootApp({ imports: [SearchModule, MilvusModule.forRootAsync({ useFactory })] });

    expect(app.get(Search, { strict: false }).client.name).toBe('default');
  });

  it('says so where a client would be made for each request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Tenant {
      name = 'acme';
    }
    const app = await bootApp({
      imports: [
        MilvusModule.forRootAsync({
          extraProviders: [Tenant],
          inject: [Tenant],
          useFactory: ({ name }: Tenant) => ({ ...lazy(), database: name }),
        }),
      ],
    });

    const first = await app.resolve<PooledMilvusClient>(getMilvusToken(), { id: 1 }, { strict: false });
    expect(first.name).toBe('default');
    const second = app.resolve(getMilvusToken(), { id: 2 }, { strict: false });
    await expect(second).rejects.toThrow(
      /"default": MilvusModule.forRootAsync \(default\) makes it again for each request/,
    );
  });

  it('gives useFactory what inject asks for, from imports', async () => {
    const app = await bootApp({
      imports: [
        MilvusModule.forRootAsync({
          name: 'read',
          imports: [SettingsModule],
          inject: [Settings, { token: 'not there', optional: true }],
          useFactory: (settings: Settings, missing: unknown) => lazy(settings.address(`${missing}`)),
        }),
      ],
    });

    expect(addressOf(app.get(getMilvusToken('read')))).toBe('undefined.example:19530');
  });

  it('gives useFactory what inject asks for, from extraProviders', async () => {
    const app = await bootApp({
      imports: [
        MilvusModule.forRootAsync({
          inject: ['address'],
          extraProviders: [{ provide: 'address', useFactory: async () => 'extra:1' }],
          useFactory: (address: string) => lazy(address),
        }),
      ],
    });

    expect(addressOf(app.get(getMilvusToken()))).toBe('extra:1');
  });

  it('gives useFactory what a global module provides', async () => {
    const app = await bootApp({
      imports: [
        { module: class Config {}, global: true, providers: [Settings], exports: [Settings] },
        MilvusModule.forRootAsync({
          inject: [Settings],
          useFactory: (settings: Settings) => lazy(settings.address()),
        }),
      ],
    });

    expect(addressOf(app.get(getMilvusToken()))).toBe('default.example:19530');
  });

  it('makes one instance of useClass, and asks it for each name', async () => {
    OptionsFactory.made = 0;
    const app = await bootApp({
      imports: [
        MilvusModule.forRootAsync({
          names: ['read', 'write'],
          imports: [SettingsModule],
          useClass: OptionsFactory,
        }),
      ],
    });

    expect(OptionsFactory.made).toBe(1);
    expect(addressOf(app.get(getMilvusToken('read')))).toBe('read.example:19530');
    expect(addressOf(app.get(getMilvusToken('write')))).toBe('write.example:19530');
  });

  it('takes the instance of another module for useExisting', async () => {
    OptionsFactory.made = 0;
    const app = await bootApp({
      imports: [MilvusModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsFactory })],
    });

    expect(OptionsFactory.made).toBe(1);
    expect(addressOf(app.get(getMilvusToken()))).toBe('default.example:19530');
  });

  it('takes several clients from one factory, called once', async () => {
    let calls = 0;
    const app = await bootApp({
      imports: [
        MilvusModule.forRootAsync({
          names: ['read', 'write'],
          useFactory: async () => {
            calls++;
            return { read: lazy('r:1'), write: lazy('w:1') };
          },
        }),
      ],
    });

    expect(calls).toBe(1);
    expect(addressOf(app.get(getMilvusToken('read')))).toBe('r:1');
    expect(addressOf(app.get(getMilvusToken('write')))).toBe('w:1');
  });

  it('may be imported several times, beside forRoot', async () => {
    const app = await bootApp({
      imports: [
        MilvusModule.forRootAsync({ useFactory: () => lazy() }),
        MilvusModule.forRootAsync({ name: 'read', useFactory: () => lazy() }),
        MilvusModule.forRootAsync({ names: ['a', 'b'], useFactory: () => ({ a: lazy(), b: lazy() }) }),
        MilvusModule.forRoot({ name: 'write', ...lazy() }),
      ],
    });

    expect(app.get(MilvusRegistry).list().sort()).toEqual(['a', 'b', 'default', 'read', 'write']);
  });

  it('fails the boot with what the factory threw', async () => {
    const boot = bootApp({
      imports: [
        MilvusModule.forRootAsync({
          useFactory: () => {
            throw new Error('no such secret in the vault');
          },
        }),
      ],
    });

    await expect(boot).rejects.toThrow('no such secret in the vault');
  });
});

describe('the types of forRootAsync', () => {
  it('hold the factory to the declared names', () => {
    const typed = () => {
      MilvusModule.forRootAsync({
        names: ['read', 'write'],
        useFactory: () => ({ read: lazy(), write: lazy() }),
      });
      MilvusModule.forRootAsync({ names: ['read'], useFactory: async () => ({ read: lazy() }) });
      MilvusModule.forRootAsync({ useFactory: (a: string, b: number) => lazy(a + b) });
      MilvusModule.forRootAsync({ useClass: OptionsFactory });
      MilvusModule.forRootAsync({ useExisting: OptionsFactory, names: ['a'] });
      // @ts-expect-error 'write' is missing from the result
      MilvusModule.forRootAsync({ names: ['read', 'write'], useFactory: () => ({ read: lazy() }) });
      // @ts-expect-error not options
      MilvusModule.forRootAsync({ useFactory: () => ({ adress: 'typo' }) });
      // @ts-expect-error several clients are declared, one is returned
      MilvusModule.forRootAsync({ names: ['read', 'write'], useFactory: () => lazy() });
      // @ts-expect-error not a factory of options
      MilvusModule.forRootAsync({ useClass: Settings });
      // @ts-expect-error one name or several
      MilvusModule.forRootAsync({ name: 'a', names: ['a'], useFactory: () => ({ a: lazy() }) });
    };

    expect(typed).toBeInstanceOf(Function);
  });
});

import { type DynamicModule, type InjectionToken, Module, type Provider } from '@nestjs/common';
import type { MilvusClientOptions } from '../options/milvus-client-options.js';
import { DEFAULT_CLIENT, getMilvusToken } from './milvus.decorators.js';
import { MilvusRegistry } from './milvus.registry.js';
import { MilvusCoreModule } from './milvus-core.module.js';
import type {
  MilvusModuleAsyncOptions,
  MilvusModuleManyAsyncOptions,
  MilvusModuleOptions,
} from './milvus-module-options.js';
import { optionsProviders } from './options-provider.js';

/** Registers named Milvus clients as providers of the whole application. May be imported several times. */
@Module({})
export class MilvusModule {
  /**
   * Registers one client.
   *
   * @example
   * MilvusModule.forRoot({ address: 'localhost:19530' })
   */
  static forRoot(options: MilvusModuleOptions): DynamicModule {
    const { name = DEFAULT_CLIENT, ...clientOptions } = options;
    const token = optionsToken('forRoot', [name]);
    return registration([name], token, {
      providers: [{ provide: token, useValue: { [name]: clientOptions } }],
    });
  }

  /**
   * Registers one client, or several, with options from a factory.
   *
   * @example
   * MilvusModule.forRootAsync({
   *   names: ['ingest', 'search'],
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({
   *     ingest: { address: config.getOrThrow('MILVUS_ADDRESS'), pool: { maxConnections: 2 } },
   *     search: { address: config.getOrThrow('MILVUS_ADDRESS') },
   *   }),
   * })
   * @throws MilvusConfigurationError when not exactly one of `useFactory`, `useClass`, `useExisting` is given
   */
  static forRootAsync(options: MilvusModuleAsyncOptions): DynamicModule;
  static forRootAsync<const Name extends string>(options: MilvusModuleManyAsyncOptions<Name>): DynamicModule;
  static forRootAsync(options: MilvusModuleAsyncOptions | MilvusModuleManyAsyncOptions): DynamicModule {
    const names = options.names ?? [options.name ?? DEFAULT_CLIENT];
    const token = optionsToken('forRootAsync', names);
    return registration(names, token, {
      imports: options.imports,
      providers: [...optionsProviders(options, names, token), ...(options.extraProviders ?? [])],
    });
  }
}

/** One per registration, so that several in one application do not meet. Its text names the registration in errors. */
function optionsToken(method: string, names: readonly string[]): symbol {
  return Symbol(`MilvusModule.${method} (${names.join(', ')})`);
}

function registration(
  names: readonly string[],
  options: symbol,
  { imports = [], providers = [] }: Pick<DynamicModule, 'imports' | 'providers'>,
): DynamicModule {
  const clients = names.map(name => clientProvider(name, options));
  return {
    module: MilvusModule,
    global: true,
    imports: [MilvusCoreModule, ...imports],
    providers: [...providers, ...clients],
    exports: names.map(name => getMilvusToken(name)),
  };
}

/** The client registers itself here, in its own factory: a test that overrides the provider leaves no trace of it. */
function clientProvider(name: string, options: symbol & InjectionToken): Provider {
  return {
    provide: getMilvusToken(name),
    inject: [MilvusRegistry, options],
    useFactory: (registry: MilvusRegistry, byName: Record<string, MilvusClientOptions>) =>
      registry.register(name, byName[name], options),
  };
}

import type {
  InjectionToken,
  ModuleMetadata,
  OptionalFactoryDependency,
  Provider,
  Type,
} from '@nestjs/common';
import type { MilvusClientOptions } from '../options/milvus-client-options.js';

/** Options of `MilvusModule.forRoot`: one client. */
export interface MilvusModuleOptions extends MilvusClientOptions {
  /**
   * What to inject it by: `@InjectMilvus(name)`.
   * @defaultValue 'default'
   */
  name?: string;
}

/** A class that makes the options of each client, for `useClass` and `useExisting`. */
export interface MilvusOptionsFactory {
  createMilvusOptions(name: string): MilvusClientOptions | Promise<MilvusClientOptions>;
}

interface AsyncSource extends Pick<ModuleMetadata, 'imports'> {
  /** What to pass to `useFactory`. */
  inject?: Array<InjectionToken | OptionalFactoryDependency>;
  /** Makes an instance of this class, with its dependencies from `imports` and `extraProviders`. */
  useClass?: Type<MilvusOptionsFactory>;
  /** Takes the instance that another module provides. */
  useExisting?: InjectionToken<MilvusOptionsFactory>;
  /** Providers that the factory needs and no module exports. */
  extraProviders?: Provider[];
}

// biome-ignore lint/suspicious/noExplicitAny: what a factory is called with follows from `inject`, which types cannot tell
type Injected = any[];

/** One client. Its name stands here, outside the factory, because Nest fixes its providers before factories run. */
export interface MilvusModuleAsyncOptions extends AsyncSource {
  /** @defaultValue 'default' */
  name?: string;
  names?: undefined;
  useFactory?: (...injected: Injected) => MilvusClientOptions | Promise<MilvusClientOptions>;
}

/** Several clients from one factory, which returns the options of each by its name. */
export interface MilvusModuleManyAsyncOptions<Name extends string = string> extends AsyncSource {
  name?: undefined;
  names: readonly Name[];
  useFactory?: (
    ...injected: Injected
  ) => Record<Name, MilvusClientOptions> | Promise<Record<Name, MilvusClientOptions>>;
}

import type { InjectionToken, Provider } from '@nestjs/common';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import type { MilvusClientOptions } from '../options/milvus-client-options.js';
import type {
  MilvusModuleAsyncOptions,
  MilvusModuleManyAsyncOptions,
  MilvusOptionsFactory,
} from './milvus-module-options.js';

type AsyncOptions = MilvusModuleAsyncOptions | MilvusModuleManyAsyncOptions;
type OptionsByName = Record<string, MilvusClientOptions>;

/**
 * Provides the options of one registration's clients, by name, from whichever source `forRootAsync` was given.
 *
 * @throws MilvusConfigurationError when it was given none, or several
 */
export function optionsProviders(
  options: AsyncOptions,
  names: readonly string[],
  provide: InjectionToken,
): Provider[] {
  const { useFactory, useClass, useExisting } = options;
  if ([useFactory, useClass, useExisting].filter(source => source !== undefined).length !== 1) {
    throw registrationFault(names, 'give exactly one of `useFactory`, `useClass` and `useExisting`');
  }
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined || names.length === 0) {
    const what = repeated === undefined ? '`names` is empty' : `"${repeated}" stands in \`names\` twice`;
    throw registrationFault(names, `${what}; give each client a name of its own`);
  }
  if (useFactory) {
    const make = async (...injected: unknown[]) => {
      const made = await useFactory(...injected);
      return options.names ? checkNames(made, names) : { [names[0]!]: made as MilvusClientOptions };
    };
    return [{ provide, inject: options.inject ?? [], useFactory: make }];
  }
  const factoryToken = (useClass ?? useExisting)!;
  const make = (factory: MilvusOptionsFactory) => askFactory(factory, names);
  const source: Provider = { provide, inject: [factoryToken], useFactory: make };
  return useClass ? [{ provide: useClass, useClass }, source] : [source];
}

async function askFactory(factory: MilvusOptionsFactory, names: readonly string[]): Promise<OptionsByName> {
  const made = await Promise.all(
    names.map(async name => [name, await factory.createMilvusOptions(name)] as const),
  );
  return Object.fromEntries(made);
}

function checkNames(made: unknown, names: readonly string[]): OptionsByName {
  if (typeof made !== 'object' || made === null) {
    throw registrationFault(
      names,
      `the factory returned ${made === null ? 'null' : typeof made}; return an object with the options of each client by its name`,
    );
  }
  const returned = Object.keys(made);
  const missing = names.filter(name => !returned.includes(name));
  const undeclared = returned.filter(name => !names.includes(name));
  if (missing.length === 0 && undeclared.length === 0) return made as OptionsByName;
  const faults = [
    ...missing.map(name => `"${name}" is declared, but missing from the factory's result`),
    ...undeclared.map(name => `"${name}" is in the factory's result, but not declared in \`names\``),
  ];
  throw registrationFault(names, `${faults.join('; ')}. The factory returned: ${quote(returned)}`);
}

function registrationFault(names: readonly string[], what: string): MilvusConfigurationError {
  const message = `MilvusModule.forRootAsync for ${quote(names)}: ${what}`;
  return new MilvusConfigurationError(message, { client: names.join(', ') });
}

function quote(names: readonly string[]): string {
  return names.map(name => `"${name}"`).join(', ') || 'nothing';
}

import {
  MilvusClientExistsError,
  MilvusClientNotFoundError,
  MilvusConfigurationError,
} from '../errors/configuration-errors.js';
import { MilvusClosedError } from '../errors/connection-errors.js';
import { redactAddress } from '../options/address.js';

/** @param arriving it is being added, and not there yet */
export function notFoundError(
  client: string,
  known: readonly string[],
  arriving = false,
): MilvusClientNotFoundError {
  const names = known.map(each => `"${each}"`).join(', ') || 'none';
  const remedy = arriving
    ? 'It is being added: wait for registry.add(), or for registry.getOrCreate()'
    : 'Register it with MilvusModule.forRoot or forRootAsync, or at run time with registry.add() or getOrCreate()';
  const message = `Milvus client "${client}" not found. Registered: ${names}. ${remedy}`;
  return new MilvusClientNotFoundError(message, { client });
}

export function existsError(client: string, earlier: string, here: string): MilvusClientExistsError {
  const message = `Milvus client "${client}" already exists: it is registered by ${earlier} and again by ${here}. Give each client a name of its own`;
  return new MilvusClientExistsError(message, { client });
}

/** The same module makes it a second time: Nest does so for each request if a provider that it injects is of a request. */
export function requestScopedError(client: string, module: string): MilvusConfigurationError {
  const message = `Milvus client "${client}": ${module} makes it again for each request, because its options depend on a request-scoped provider. Inject only singletons there; what differs from request to request is for with({ database }) or registry.getOrCreate()`;
  return new MilvusConfigurationError(message, { client });
}

export function closedError(method: string, client = ''): MilvusClosedError {
  const what = client === '' ? `${method}()` : `${method}("${client}")`;
  const message = `MilvusRegistry: ${what} was refused: the registry is closed, and its clients with it`;
  return new MilvusClosedError(message, { client });
}

/**
 * Names stand in log lines and messages.
 *
 * @throws MilvusConfigurationError
 */
export function checkName(name: unknown): void {
  if (typeof name === 'string' && name !== '' && name.length <= 200 && !/\p{Cc}/u.test(name)) return;
  const what = typeof name === 'string' ? JSON.stringify(name.slice(0, 50)) : typeof name;
  const message = `MilvusRegistry: a client's name must be a text of 1 to 200 characters without control characters, but is ${what}`;
  throw new MilvusConfigurationError(message, { client: String(name).slice(0, 50) });
}

/** Tells two registrations of one name apart, when nothing else does. */
export function describeOrigin(where: string, options: unknown): string {
  const addresses = [(options as { address?: unknown } | undefined)?.address].flat();
  const texts = addresses.filter(each => typeof each === 'string').map(redactAddress);
  return texts.length > 0 ? `${where} with address ${texts.join(', ')}` : where;
}

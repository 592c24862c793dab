import { setMaxListeners } from 'node:events';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import type { HeldConnection } from './milvus-lease.js';

/** What `client.with(…)` sets for the calls of the client that it gives. */
export interface MilvusCallOptions {
  /** Longest that each call may take, in ms; the limit of its class and the request's own `timeout` may be sooner. */
  timeoutMs?: number;
  /** Ends each call at once when it aborts: the call fails with `MilvusAbortedError`, whose cause is the reason. */
  signal?: AbortSignal;
  /** Database of each call whose request names none. */
  database?: string;
  /** `throw`: a failed call rejects. `status`: it resolves and rejects as with the plain SDK. */
  errors?: 'throw' | 'status';
}

/** What holds for the calls of a client, after all its `with(…)`. */
export interface CallScope {
  readonly timeoutMs?: number;
  readonly signals?: readonly AbortSignal[];
  readonly database?: string;
  readonly errors: 'throw' | 'status';
  /** The lease whose connection its calls go over. */
  readonly lease?: HeldConnection;
}

type Check = (value: unknown) => string | undefined;

/** What is wrong with a value. By hand: a schema library would cost more than the call. */
const checks: Record<keyof MilvusCallOptions, Check> = {
  timeoutMs: value =>
    Number.isFinite(value) && (value as number) > 0 ? undefined : 'must be a number of milliseconds above 0',
  signal: value => (value instanceof AbortSignal ? undefined : 'must be an AbortSignal'),
  database: value =>
    typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
      ? undefined
      : 'must be a name of visible ASCII characters',
  errors: value => (value === 'throw' || value === 'status' ? undefined : "must be 'throw' or 'status'"),
};

/**
 * The scope of a derived client. Limits add up: the sooner timeout and every signal count; database and error mode
 * replace those before.
 *
 * @throws MilvusConfigurationError that names client and option
 */
export function narrow(
  scope: CallScope,
  options: MilvusCallOptions,
  { client, method }: { client: string; method: string },
): CallScope {
  for (const [name, value] of Object.entries(options)) {
    const check = (checks as Record<string, Check | undefined>)[name];
    const fault = check ? value !== undefined && check(value) : `is unknown. Known: ${knownNames}`;
    if (fault) {
      const message = `Milvus client "${client}": ${method}(): \`${name}\` ${fault}`;
      throw new MilvusConfigurationError(message, { client, method });
    }
  }
  const { timeoutMs = Infinity, signal, database, errors } = options;
  // One listener a call, and none is left: more than ten at once are no leak that Node should warn of.
  if (signal) setMaxListeners(0, signal);
  const limitMs = Math.min(timeoutMs, scope.timeoutMs ?? Infinity);
  const signals = signal ? [...(scope.signals ?? []), signal] : scope.signals;
  return {
    ...(limitMs < Infinity && { timeoutMs: limitMs }),
    ...(signals && { signals }),
    database: database ?? scope.database,
    errors: errors ?? scope.errors,
    ...(scope.lease && { lease: scope.lease }),
  };
}

const knownNames = Object.keys(checks).join(', ');

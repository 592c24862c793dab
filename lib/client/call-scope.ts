import { setMaxListeners } from 'node:events';
import { MilvusConfigurationError } from '../errors/configuration-errors.js';
import type { MilvusRetryOptions } from '../options/milvus-client-options.js';
import { changeRetry } from '../options/resolve-retry.js';
import type { RetryPolicy } from '../resilience/retry-schedule.js';
import type { Call } from './call.js';
import { ACQUIRE, EXECUTE } from './failed-call.js';
import type { HeldConnection } from './milvus-lease.js';
import type { MilvusAcquireOptions } from './milvus-pool.js';

/** What `client.with(…)` sets for the calls of the client that it gives. */
export interface MilvusCallOptions {
  /** Longest that each call may take, in ms; the limit of its class and the request's own `timeout` may be sooner. */
  timeoutMs?: number;
  /** Ends each call at once when it aborts: the call fails with `MilvusAbortedError`, whose cause is the reason. */
  signal?: AbortSignal;
  /** Database of each call whose request names none. */
  database?: string;
  /** Changes the client's `retry`; what is not given stays. `false`: nothing is sent again. */
  retry?: MilvusRetryOptions | false;
  /**
   * You know that executing any of these calls twice does no harm, as an upsert of rows with keys of your own: they are repeated as
   * if they only read.
   */
  idempotent?: boolean;
  /** `throw`: a failed call rejects. `status`: it resolves and rejects as with the plain SDK. */
  errors?: 'throw' | 'status';
}

/** What holds for the calls of a client, after all its `with(…)`. */
export interface CallScope {
  readonly timeoutMs?: number;
  readonly signals?: readonly AbortSignal[];
  readonly database?: string;
  readonly retry: RetryPolicy | false;
  readonly idempotent?: boolean;
  readonly errors: 'throw' | 'status';
  /** The lease whose connection its calls go over. */
  readonly lease?: HeldConnection;
  /** They are a part of a function that runs once more. */
  readonly rerun?: boolean;
  /** The `execute()` that its calls are a part of. */
  readonly within?: Call;
  /** The run of its function; once that has failed nothing is to be begun for it. */
  readonly run?: { over: boolean };
}

type Check = (value: unknown) => string | undefined;

const isFlag: Check = value => (typeof value === 'boolean' ? undefined : 'must be true or false');

/** What is wrong with a value. By hand: a schema library would cost more than the call. */
const checks: Record<keyof MilvusCallOptions, Check> = {
  timeoutMs: value =>
    Number.isFinite(value) && (value as number) > 0 ? undefined : 'must be a number of milliseconds above 0',
  signal: value => (value instanceof AbortSignal ? undefined : 'must be an AbortSignal'),
  database: value =>
    typeof value === 'string' && /^[\x21-\x7e]+$/.test(value)
      ? undefined
      : 'must be a name of visible ASCII characters',
  retry: value =>
    value === false || (typeof value === 'object' && value !== null)
      ? undefined
      : 'must be false or an object',
  idempotent: isFlag,
  errors: value => (value === 'throw' || value === 'status' ? undefined : "must be 'throw' or 'status'"),
};

/** Of which client, and which of its methods was called. */
interface Where {
  client: string;
  method: string;
}

/**
 * The scope of a derived client. Limits add up: the sooner timeout and every signal count; the rest replaces what was before.
 *
 * @throws MilvusConfigurationError that names client and option
 */
export function narrow(scope: CallScope, options: MilvusCallOptions, where: Where): CallScope {
  checkCallOptions(options, checks, where);
  const { timeoutMs = Infinity, signal, retry } = options;
  // One listener a call, and none is left: more than ten at once are no leak that Node should warn of.
  if (signal) setMaxListeners(0, signal);
  const limitMs = Math.min(timeoutMs, scope.timeoutMs ?? Infinity);
  // One by one: spreading costs three times as much, and this may run for each request of an application.
  return {
    timeoutMs: limitMs < Infinity ? limitMs : undefined,
    signals: signal ? [...(scope.signals ?? []), signal] : scope.signals,
    database: options.database ?? scope.database,
    retry: retry === undefined ? scope.retry : changeRetry(retry, scope.retry, where),
    idempotent: options.idempotent ?? scope.idempotent,
    errors: options.errors ?? scope.errors,
    lease: scope.lease,
    rerun: scope.rerun,
    within: scope.within,
    run: scope.run,
  };
}

/** @throws MilvusConfigurationError about the first option that is unknown or wrong */
function checkCallOptions<Options extends object>(
  options: Options,
  known: Readonly<Record<keyof Options, Check>>,
  { client, method }: Where,
): void {
  if (typeof options !== 'object' || options === null) {
    const message = `Milvus client "${client}": ${method}(): the options must be an object`;
    throw new MilvusConfigurationError(message, { client, method });
  }
  for (const name in options) {
    const value = options[name];
    const check = Object.hasOwn(known, name) ? known[name] : undefined;
    const fault = check
      ? value !== undefined && check(value)
      : `is unknown. Known: ${Object.keys(known).join(', ')}`;
    if (fault) {
      const message = `Milvus client "${client}": ${method}(): \`${name}\` ${fault}`;
      throw new MilvusConfigurationError(message, { client, method });
    }
  }
}

/** What `execute()` takes besides its function. */
export interface MilvusExecuteOptions {
  /**
   * For all calls of the function together, the pauses between its runs included, in ms.
   * @defaultValue `timeouts.waitMs`
   */
  timeoutMs?: number;
  /** Ends everything at once when it aborts. */
  signal?: AbortSignal;
  /**
   * You know that running the function twice does no harm: after a failure that passes it runs again from its begin, as often
   * as `retry` says. Its calls are not repeated one by one then.
   * @defaultValue false
   */
  idempotent?: boolean;
}

const { timeoutMs, signal, idempotent } = checks;

/** @throws MilvusConfigurationError that names client and option */
export function checkAcquireOptions(options: MilvusAcquireOptions, client: string): void {
  checkCallOptions(options, { timeoutMs }, { client, method: ACQUIRE });
}

/** @throws MilvusConfigurationError that names client and option */
export function checkExecuteOptions(options: MilvusExecuteOptions, client: string): void {
  checkCallOptions(options, { timeoutMs, signal, idempotent }, { client, method: EXECUTE });
}

import type { RetryPolicy } from '../resilience/retry-schedule.js';
import { checkOptions } from './check-options.js';
import { optionDefaults } from './defaults.js';
import { fill } from './fill.js';
import type { MilvusRetryOptions } from './milvus-client-options.js';
import { OptionFaults } from './option-faults.js';

/** @param base what holds where an option is not given */
export function resolveRetry(
  given: MilvusRetryOptions | false = {},
  faults: OptionFaults,
  base: RetryPolicy = optionDefaults.retry,
): RetryPolicy | false {
  if (given === false) return false;
  const retry = fill(base, given);
  const { initialDelayMs: first, maxDelayMs: longest } = retry;
  if (first > longest && faults.none('retry.initialDelayMs', 'retry.maxDelayMs')) {
    const unset = base === optionDefaults.retry ? 'by default' : 'as before';
    const own = given.initialDelayMs === undefined ? ` ${unset}` : '';
    const other = given.maxDelayMs === undefined ? ` ${unset}` : '';
    faults.add(
      'retry.initialDelayMs',
      `is ${first}${own}, above retry.maxDelayMs, which is ${longest}${other}: lower the one or raise the other`,
    );
  }
  return retry;
}

/**
 * As for `with({ retry })`, where nobody has checked the option yet.
 *
 * @throws MilvusConfigurationError
 */
export function changeRetry(
  given: MilvusRetryOptions | false,
  base: RetryPolicy | false,
  where: { client: string; method: string },
): RetryPolicy | false {
  if (given === false) return false;
  const faults = new OptionFaults();
  const sound = checkOptions({ retry: given }, faults);
  const retry = resolveRetry(sound.retry, faults, base || optionDefaults.retry);
  faults.throwIfAnyOf(where);
  return retry;
}

import { resolveAddresses } from './address-list.js';
import { checkOptions } from './check-options.js';
import { deepFreeze } from './deep-freeze.js';
import { failureRateDefaults, optionDefaults } from './defaults.js';
import { fill } from './fill.js';
import type { MilvusClientOptions, MilvusPoolOptions } from './milvus-client-options.js';
import { OptionFaults } from './option-faults.js';
import { resolveCredentials } from './resolve-credentials.js';
import { resolveRetry } from './resolve-retry.js';
import { resolveTls } from './resolve-tls.js';
import type { EndpointOptions, ResolvedClientOptions } from './resolved-options.js';

/**
 * Validates one client's options, reads the files they name and fills in the defaults. The result is frozen, all of
 * it.
 *
 * @throws MilvusConfigurationError that lists every fault with its remedy, and no secret
 */
export function resolveClientOptions(name: string, options: unknown): ResolvedClientOptions {
  const faults = new OptionFaults();
  const sound = checkOptions(options, faults);
  // Without any options there is only one thing to say.
  if (!faults.none('')) faults.throwIfAny(name);

  const url = resolveAddresses(sound.address, faults);
  const tls = resolveTls(sound, url.secure, faults);
  const credentials = resolveCredentials(sound, url, faults);
  const database = sound.database || url.database || optionDefaults.database;
  if (!/^[\x21-\x7e]+$/.test(database)) {
    // HTTP/2 would refuse the header of every call.
    faults.add(
      sound.database ? 'database' : 'address',
      'names a database with characters other than visible ASCII',
    );
  }
  const pool = resolvePool(sound.pool, faults);
  const retry = resolveRetry(sound.retry, faults);
  const leakDetection = resolveLeakDetection(sound.leakDetection, pool.maxLeases, faults);
  faults.throwIfAny(name);

  return deepFreeze({
    name,
    endpoint: {
      addresses: url.addresses,
      ...(tls && { tls }),
      pool,
      retryBudget: sound.retryBudget !== false && fill(optionDefaults.retryBudget, sound.retryBudget),
      circuitBreaker: resolveCircuitBreaker(sound.circuitBreaker),
      health: sound.health !== false && fill(optionDefaults.health, sound.health),
    },
    ...(credentials && { credentials }),
    database,
    timeouts: fill(optionDefaults.timeouts, sound.timeouts),
    retry,
    errors: sound.errors ?? optionDefaults.errors,
    startup: fill(optionDefaults.startup, sound.startup),
    shutdown: fill(optionDefaults.shutdown, sound.shutdown),
    leakDetection,
  });
}

function resolvePool(given: MilvusPoolOptions = {}, faults: OptionFaults): EndpointOptions['pool'] {
  const { keepalive, ...flat } = given;
  const keepaliveToo = keepalive && { keepalive: fill(optionDefaults.pool.keepalive, keepalive) };
  const pool = fill(optionDefaults.pool, { ...flat, ...keepaliveToo });
  const { minConnections: min, maxConnections: max } = pool;
  if (min > max && faults.none('pool.minConnections', 'pool.maxConnections')) {
    const limit = given.maxConnections === undefined ? 'whose default is' : 'which is';
    faults.add(
      'pool.minConnections',
      `is ${min}, above pool.maxConnections, ${limit} ${max}: lower the one or raise the other`,
    );
  }
  return pool;
}

function resolveCircuitBreaker(
  given: MilvusClientOptions['circuitBreaker'] = {},
): EndpointOptions['circuitBreaker'] {
  if (given === false) return false;
  const { failureRate, ...flat } = given;
  const breaker = fill(optionDefaults.circuitBreaker, flat);
  return failureRate ? { ...breaker, failureRate: fill(failureRateDefaults, failureRate) } : breaker;
}

function resolveLeakDetection(
  given: MilvusClientOptions['leakDetection'] = {},
  maxLeases: number,
  faults: OptionFaults,
): ResolvedClientOptions['leakDetection'] {
  if (given === false) return false;
  const { maxHeld, ...rest } = given;
  if (maxHeld !== undefined && maxHeld >= maxLeases && faults.none('pool.maxLeases')) {
    const remedy = 'no more can be held anyway: lower the one or raise the other';
    faults.add(
      'leakDetection.maxHeld',
      `is ${maxHeld}, not below pool.maxLeases, which is ${maxLeases}: ${remedy}`,
    );
  }
  return { ...fill(optionDefaults.leakDetection, rest), ...(maxHeld !== undefined && { maxHeld }) };
}

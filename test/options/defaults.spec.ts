import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { optionDefaults } from '../../lib/options/defaults.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';

const GROUP_OF: Record<string, object> = {
  MilvusPoolOptions: optionDefaults.pool,
  MilvusKeepaliveOptions: optionDefaults.pool.keepalive,
  MilvusTimeoutOptions: optionDefaults.timeouts,
  MilvusStartupOptions: optionDefaults.startup,
  MilvusShutdownOptions: optionDefaults.shutdown,
  MilvusHealthOptions: optionDefaults.health,
  MilvusRetryOptions: optionDefaults.retry,
  MilvusRetryBudgetOptions: optionDefaults.retryBudget,
  MilvusClientOptions: { database: optionDefaults.database, errors: optionDefaults.errors },
};

describe('optionDefaults', () => {
  const source = readFileSync(
    join(import.meta.dirname, '../../lib/options/milvus-client-options.ts'),
    'utf8',
  );

  it.each(Object.keys(GROUP_OF))('are what the documentation of %s says', name => {
    const [, body] = new RegExp(`interface ${name} \\{(.*?)\\n\\}`, 's').exec(source)!;
    const documented = [...body!.matchAll(/@defaultValue (\S+).*?\*\/\s+(\w+)\??:/gs)].map(
      ([, value, key]) => [key, JSON.parse(value!.replaceAll("'", '"'))],
    );
    const { keepalive: _group, ...own } = GROUP_OF[name] as Record<string, unknown>;
    expect(Object.fromEntries(documented)).toEqual(own);
  });

  it('are frozen to the bottom', () => {
    expect(Object.isFrozen(optionDefaults)).toBe(true);
    expect(Object.isFrozen(optionDefaults.pool.keepalive)).toBe(true);
    expect(Object.isFrozen(optionDefaults.retry)).toBe(true);
  });

  it('are options that pass', () => {
    expect(resolveClientOptions('a', { address: 'h', ...optionDefaults })).toEqual(
      resolveClientOptions('a', { address: 'h' }),
    );
  });
});

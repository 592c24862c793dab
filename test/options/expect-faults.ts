import { expect } from '@jest/globals';
import { MilvusConfigurationError } from '../../lib/errors/configuration-errors.js';
import { resolveClientOptions } from '../../lib/options/resolve-options.js';

/** The fault lines that these options give, without the heading. */
export function faultsOf(options: unknown): string[] {
  let error: unknown;
  try {
    resolveClientOptions('read', options);
  } catch (thrown) {
    error = thrown;
  }
  if (error === undefined) return [];
  expect(error).toBeInstanceOf(MilvusConfigurationError);
  const [heading, ...lines] = (error as Error).message.split('\n');
  expect(heading).toContain('"read"');
  for (const line of lines) expect(line).toMatch(/^ {2}- \S/);
  return lines.map(line => line.slice(4));
}

/** The one fault of options that are right but for these. */
export function faultOf(options: Record<string, unknown>): string {
  const faults = faultsOf({ address: 'localhost', ...options });
  expect(faults).toHaveLength(1);
  return faults[0]!;
}

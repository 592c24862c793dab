import type { z } from 'zod';
import type { MilvusClientOptions } from './milvus-client-options.js';
import type { OptionFaults } from './option-faults.js';
import { kindOf } from './option-types.js';
import { clientOptionsSchema } from './schema.js';
import { remedyForUnknown } from './unknown-option.js';

interface Finding {
  path: readonly PropertyKey[];
  issue: z.core.$ZodIssue;
}

/**
 * Checks every option alone, and returns those that are sound, so that the rules between options are checked as
 * well. `address` is passed on as it is.
 */
export function checkOptions(options: unknown, faults: OptionFaults): Partial<MilvusClientOptions> {
  const result = clientOptionsSchema.safeParse(options);
  if (result.success) return result.data;

  let sound = options;
  for (const { path, issue } of result.error.issues.flatMap(issue => innermost(issue))) {
    if (issue.code === 'unrecognized_keys') {
      const parent = path.join('.');
      for (const key of issue.keys) {
        faults.add([...path, printable(key)].join('.'), `is not an option: ${remedyForUnknown(parent, key)}`);
      }
      continue;
    }
    faults.add(path.join('.'), path.length > 0 ? issue.message : notOptions(options));
    sound = without(sound, path);
  }
  return sound as Partial<MilvusClientOptions>;
}

/** The issues of the union's branch that was meant: the one that takes this kind of value at all. */
function innermost(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[] = []): Finding[] {
  const path = [...prefix, ...issue.path];
  const meant =
    issue.code === 'invalid_union' ? issue.errors.find(branch => !branch.some(isOfAnotherKind)) : undefined;
  return meant ? meant.flatMap(inner => innermost(inner, path)) : [{ path, issue }];
}

/** The value itself is not what this branch takes. */
function isOfAnotherKind({ code, path }: z.core.$ZodIssue): boolean {
  return path.length === 0 && (code === 'invalid_type' || code === 'invalid_value');
}

function without(value: unknown, [key, ...rest]: readonly PropertyKey[]): unknown {
  if (key === undefined) return {};
  const group = value as Record<PropertyKey, unknown>;
  return { ...group, [key]: rest.length === 0 ? undefined : without(group[key], rest) };
}

function notOptions(options: unknown): string {
  const remedy = "return an object like { address: 'localhost:19530' }";
  return options === undefined
    ? `there are no options: ${remedy}`
    : `the options must be an object, but are ${kindOf(options)}: ${remedy}`;
}

function printable(key: string): string {
  return /^[\w$-]+$/.test(key) ? key : JSON.stringify(key);
}

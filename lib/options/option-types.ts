import { z } from 'zod';

/** Node's longest timer: a longer one fires at once. */
const LONGEST_TIMER_MS = 2_147_483_647;

/** What was given, without its value: that may be a secret. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

/** An integer; its value is told in the fault, a string only as being one. */
export function integer(min: number, max = Number.MAX_SAFE_INTEGER, unit = '') {
  return numeric('an integer', Number.isInteger, min, max, unit);
}

/** Any number but NaN and infinity. */
export function number(min: number, max = Number.MAX_SAFE_INTEGER) {
  return numeric('a number', Number.isFinite, min, max, '');
}

function numeric(what: string, isOne: (value: unknown) => boolean, min: number, max: number, unit: string) {
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
  const check = (value: unknown) => isOne(value) && (value as number) >= min && (value as number) <= max;
  return z
    .custom<number>(check, {
      error: ({ input }) => `must be ${what} ${range}${unit}, but is ${describeNumber(input)}`,
    })
    .optional();
}

function describeNumber(input: unknown): string {
  if (Number.isNaN(input)) return 'NaN: look at what was converted to a number';
  if (typeof input === 'number') return String(input);
  return typeof input === 'string' ? 'a string: convert it with Number(...)' : kindOf(input);
}

/** Milliseconds. */
export function duration(min = 1) {
  return integer(min, LONGEST_TIMER_MS, ' (ms)');
}

export function flag() {
  const remedy = (input: unknown) =>
    typeof input === 'string' ? ": compare it, as in value === 'true'" : '';
  return z
    .boolean({ error: ({ input }) => `must be true or false, but is ${kindOf(input)}${remedy(input)}` })
    .optional();
}

/** Anything that can be called. */
export function callable<Fn>() {
  return z
    .custom<Fn>(value => typeof value === 'function', {
      error: ({ input }) => `must be a function, but is ${kindOf(input)}`,
    })
    .optional();
}

export function text() {
  return z.string({ error: ({ input }) => `must be a string, but is ${kindOf(input)}` }).optional();
}

export function nonEmptyText() {
  return z
    .string({ error: ({ input }) => `must be a string, but is ${kindOf(input)}` })
    .min(1, 'is empty: leave it out, or check the configuration source')
    .optional();
}

export function oneOf<const T extends string>(...values: T[]) {
  const known = values.map(value => `'${value}'`).join(', ');
  return z
    .enum(values, {
      error: ({ input }) =>
        `must be one of ${known}, but is ${typeof input === 'string' ? 'another string' : kindOf(input)}`,
    })
    .optional();
}

/** A certificate or key. */
export function fileOrContents() {
  return z
    .custom<string | Buffer>(value => typeof value === 'string' || Buffer.isBuffer(value), {
      error: ({ input }) => `must be a file path, PEM text or a Buffer, but is ${kindOf(input)}`,
    })
    .optional();
}

/** A certificate or key under one of the SDK's names for contents. */
export function contents() {
  return z
    .custom<Buffer>(value => Buffer.isBuffer(value), {
      error: ({ input }) => `must be a Buffer, but is ${kindOf(input)}`,
    })
    .optional();
}

import { createHash } from 'node:crypto';

/**
 * The same for two values exactly if they are equal, in whatever order their keys were given. A hash: what it is made of may be a
 * secret. A Buffer equals its text; of functions only that they are some is known.
 */
export function fingerprint(value: unknown): string {
  return createHash('sha256').update(stable(value)).digest('base64');
}

function stable(value: unknown): string {
  if (Buffer.isBuffer(value)) return JSON.stringify(value.toString());
  if (Array.isArray(value)) return `[${value.map(stable).join()}]`;
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? typeof value;
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  const pairs = entries.map(([key, each]) => `${JSON.stringify(key)}:${stable(each)}`);
  return `{${pairs.sort().join()}}`;
}

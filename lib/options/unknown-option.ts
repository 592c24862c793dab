import { z } from 'zod';
import { clientOptionsSchema } from './schema.js';

/** What people write for something that stands elsewhere, and that no likeness would find. */
const REMEDIES: Readonly<Record<string, string>> = {
  name: 'the name stands beside the factory: MilvusModule.forRootAsync({ name, useFactory })',
  url: "did you mean 'address'?",
  uri: "did you mean 'address'?",
  host: "host and port stand together in 'address', as host:port",
  port: "host and port stand together in 'address', as host:port",
  db: "did you mean 'database'?",
  user: "did you mean 'username'?",
  apiKey: "did you mean 'token'?",
  timeout: "did you mean 'timeouts', which has one for each class of call?",
  'tls.verifyOptions': "did you mean 'rejectUnauthorized' or 'serverName'?",
};

const KNOWN_PATHS = pathsOf(clientOptionsSchema);

/** The remedy for an option that does not exist: the likeliest one that does. `parent` is '' at the top. */
export function remedyForUnknown(parent: string, key: string): string {
  const prefix = parent === '' ? '' : `${parent}.`;
  if (Object.hasOwn(REMEDIES, prefix + key)) return REMEDIES[prefix + key]!;

  const siblings = KNOWN_PATHS.filter(path => path.startsWith(prefix))
    .map(path => path.slice(prefix.length))
    .filter(path => !path.includes('.'));
  const elsewhere = KNOWN_PATHS.filter(path => plain(lastOf(path)) === plain(key));
  if (elsewhere.length > 0) return `did you mean ${elsewhere.map(path => `'${path}'`).join(' or ')}?`;

  const near = siblings
    .map(sibling => ({ sibling, distance: editDistance(plain(sibling), plain(key)) }))
    .filter(({ sibling, distance }) => distance <= Math.max(1, sibling.length / 4))
    .sort((a, b) => a.distance - b.distance)[0];
  if (near) return `did you mean '${near.sibling}'?`;

  return `known here: ${siblings.join(', ')}`;
}

function pathsOf(schema: z.ZodType, prefix = ''): string[] {
  if (schema instanceof z.ZodOptional) return pathsOf(schema.unwrap() as z.ZodType, prefix);
  if (schema instanceof z.ZodUnion)
    return schema.options.flatMap(option => pathsOf(option as z.ZodType, prefix));
  if (!(schema instanceof z.ZodObject)) return [];
  return Object.entries(schema.shape).flatMap(([key, inner]) => [
    prefix + key,
    ...pathsOf(inner as z.ZodType, `${prefix}${key}.`),
  ]);
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('.') + 1);
}

function plain(key: string): string {
  return key.replace(/[_-]/g, '').toLowerCase();
}

/** Levenshtein's: how many letters to insert, drop or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

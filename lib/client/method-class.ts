/** Which of `timeouts` bounds a whole call: `readMs`, `writeMs`, `adminMs` or `waitMs`. */
export type MethodClass = 'read' | 'write' | 'admin' | 'wait';

const writes = new Set(['insert', 'upsert', 'delete', 'deleteEntities']);

/** These ask again and again until something is done; the simple form of `createCollection` loads what it creates. */
const waits = new Set([
  'createCollection',
  'loadCollection',
  'loadCollectionSync',
  'loadPartitionsSync',
  'flushSync',
  'flushAllSync',
]);

const reads =
  /^(batchDescribe|check|count|describe|get|has|list|query|search|select|show|hybridSearch|runAnalyzer|backupRBAC|ping|isAvailable)/;

const classes = new Map<string, MethodClass>();

/** What changes collections, indexes, users or databases is the rest, and so is what a later SDK adds. */
export function methodClass(method: string): MethodClass {
  const known = classes.get(method);
  if (known) return known;
  const found = classify(method);
  classes.set(method, found);
  return found;
}

/** The class of one RPC, e.g. `DescribeCollection`. None waits until something is done: it is the SDK that asks again. */
export function rpcClass(rpc: string): Exclude<MethodClass, 'wait'> {
  const of = methodClass(rpc.charAt(0).toLowerCase() + rpc.slice(1));
  return of === 'wait' ? 'admin' : of;
}

function classify(method: string): MethodClass {
  if (writes.has(method)) return 'write';
  if (waits.has(method)) return 'wait';
  return reads.test(method) ? 'read' : 'admin';
}

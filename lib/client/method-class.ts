/** Which of `timeouts` bounds a whole call: `readMs`, `writeMs`, `adminMs` or `waitMs`. */
export type MethodClass = 'read' | 'write' | 'admin' | 'wait';

const writes = new Set(['insert', 'upsert', 'delete', 'deleteEntities']);

/** These ask again and again until something is done; the simple form of `createCollection` loads what it creates. */
const waits = new Set([
  'createCollection',
  'loadCollection',
  'loadPartitionsSync',
  'flushSync',
  'flushAllSync',
]);

const reads =
  /^(batchDescribe|check|count|describe|get|has|list|query|search|select|show|hybridSearch|runAnalyzer|backupRBAC|ping|isAvailable)/;

/** What changes collections, indexes, users or databases is the rest, and so is what a later SDK adds. */
export function methodClass(method: string): MethodClass {
  if (writes.has(method)) return 'write';
  if (waits.has(method)) return 'wait';
  return reads.test(method) ? 'read' : 'admin';
}

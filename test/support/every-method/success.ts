import type { Run } from './runs.js';

interface Status {
  code?: number;
  error_code?: string;
}

/** Whether the method came to a good end: it asked something, and got something that is not bad. */
export function isGood({ outcome, rpcs }: Run): boolean {
  if (!outcome || !('resolved' in outcome) || rpcs.length === 0) return false;
  return isFull(outcome.resolved) && statusesIn(outcome.resolved).every(isSuccess);
}

function isFull(result: unknown): boolean {
  if (typeof result === 'string' || Array.isArray(result)) return result.length > 0;
  if (typeof result !== 'object' || result === null) return false;
  // The first page of an iterator.
  return !('done' in result && 'value' in result) || isFull(result.value);
}

function isSuccess({ code = 0, error_code = '' }: Status): boolean {
  return code === 0 && ['', 'Success'].includes(error_code);
}

/** A result is a status, has one, or is a list of them. */
function statusesIn(result: unknown): Status[] {
  if (Array.isArray(result)) return result.flatMap(statusesIn);
  if (typeof result !== 'object' || result === null) return [];
  if ('error_code' in result) return [result as Status];
  return Object.entries(result)
    .filter(([name]) => name === 'status' || name === 'alter_status')
    .flatMap(([, status]) => statusesIn(status));
}

import type { MilvusClient } from '@zilliz/milvus2-sdk-node';

export type Outcome = { resolved: unknown } | { rejected: unknown };

/** How one call of one method went. */
export interface Run {
  /** Undefined: it would have gone on for ever. */
  outcome?: Outcome;
  rpcs: readonly string[];
  faults: number;
  ms: number;
}

export type Method = (...args: unknown[]) => unknown;

/** Calls a method. An iterator is a method whose result is its first page. */
export async function outcomeOf(client: MilvusClient, method: string, args: unknown[]): Promise<Outcome> {
  try {
    const result = await (client as unknown as Record<string, Method>)[method]!(...args);
    return { resolved: isIterator(method) ? await firstOf(result as AsyncIterable<unknown>) : result };
  } catch (error) {
    return { rejected: error };
  }
}

export function isIterator(method: string): boolean {
  return method.endsWith('Iterator');
}

function firstOf(pages: AsyncIterable<unknown>): Promise<IteratorResult<unknown>> {
  return pages[Symbol.asyncIterator]().next();
}

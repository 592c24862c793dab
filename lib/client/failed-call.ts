import type { CallLimit } from './call-limits.js';

/** What stands for the method in the errors of what is no method of the SDK. */
export const ACQUIRE = 'pool.acquire';
export const RECONNECT = 'pool.reconnect';

/** The call that failed, for its error. */
export interface FailedCall {
  client: string;
  method: string;
  limit: CallLimit;
  /** Of one RPC of it, when that was sooner than the call's. */
  rpcLimit?: CallLimit;
  /** Whether RPCs of it were sent before the one that failed. */
  executedInPart?: boolean;
  /** Whether one of them was to change something. */
  wrote?: boolean;
}

/** How every message begins. */
export function about({ client, method }: Pick<FailedCall, 'client' | 'method'>): string {
  return `Milvus client "${client}": ${method}`;
}

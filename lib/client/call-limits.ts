import type { ResolvedClientOptions } from '../options/resolved-options.js';
import type { CallScope } from './call-scope.js';
import { type MethodClass, methodClass, rpcClass } from './method-class.js';

/** A longer timer of Node fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** How long a call, or one RPC of it, may take, and who said so. */
export interface CallLimit {
  timeoutMs: number;
  /** For messages, e.g. `timeouts.readMs`. */
  setBy: string;
  /** The whole, of which `timeoutMs` is what an `execute()` has left for one of its calls. */
  wholeMs?: number;
}

type LimitingScope = Pick<CallScope, 'timeoutMs' | 'within'>;

/** The limits of one client's calls and of the RPCs that they are made of. */
export class CallLimits {
  private readonly classes: Record<MethodClass, CallLimit>;

  constructor({ readMs, writeMs, adminMs, waitMs }: ResolvedClientOptions['timeouts']) {
    this.classes = {
      read: { timeoutMs: readMs, setBy: '`timeouts.readMs`' },
      write: { timeoutMs: writeMs, setBy: '`timeouts.writeMs`' },
      admin: { timeoutMs: adminMs, setBy: '`timeouts.adminMs`' },
      wait: { timeoutMs: waitMs, setBy: '`timeouts.waitMs`' },
    };
  }

  /**
   * The earliest of the method's class, the request's own `timeout`, `with({ timeoutMs })`, and of the `execute()` that the call is
   * a part of.
   */
  ofCall(method: string, request: unknown, scope: LimitingScope): CallLimit {
    let limit = this.classes[methodClass(method)];
    const requestMs = (request as { timeout?: unknown } | undefined)?.timeout;
    // The SDK takes 0 for "no limit", and sends with less than that what can only fail.
    if (typeof requestMs === 'number' && requestMs !== 0 && requestMs < limit.timeoutMs) {
      limit = { timeoutMs: Math.max(0, requestMs), setBy: "the request's `timeout`" };
    }
    return narrowed(limit, scope);
  }

  /** Of `execute()`: what it asks for, or else the longest there is. */
  ofExecute(timeoutMs: number | undefined, scope: LimitingScope): CallLimit {
    const own =
      timeoutMs === undefined
        ? this.classes.wait
        : { ...limitOf(timeoutMs), setBy: '`execute({ timeoutMs })`' };
    return narrowed(own, scope);
  }

  /** Of one RPC within a call: a method that waits for minutes does not wait for one lost answer as long. */
  ofRpc(rpc: string, method: string): CallLimit {
    const of = methodClass(method);
    return this.classes[of === 'wait' ? rpcClass(rpc) : of];
  }
}

/** The limit, or a sooner one of the client that the call is made on. */
export function narrowed(limit: CallLimit, { timeoutMs = Infinity, within }: LimitingScope): CallLimit {
  const own = timeoutMs < limit.timeoutMs ? { timeoutMs, setBy: '`with({ timeoutMs })`' } : limit;
  if (!within) return own;
  const leftMs = within.deadline.remainingMs();
  if (leftMs >= own.timeoutMs) return own;
  const { setBy, timeoutMs: wholeMs } = within.request.limit;
  return { timeoutMs: leftMs, setBy, wholeMs };
}

/** A limit that our own code asks for. */
export function limitOf(timeoutMs: number): CallLimit {
  return { timeoutMs: Math.min(timeoutMs, LONGEST_TIMER_MS), setBy: '`timeoutMs`' };
}

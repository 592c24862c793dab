import type { PoolFailure } from '../pool/pool-failure.js';
import type { DeadlineTimers } from '../resilience/deadline-timers.js';
import type { Call } from './call.js';
import type { CallLimit } from './call-limits.js';
import type { CallScope } from './call-scope.js';

/** A call that somebody asks for. */
export interface CallRequest {
  /** Public method that was called, e.g. `search`. */
  method: string;
  /** For the whole call. */
  limit: CallLimit;
  /** Database and client id. */
  metadata: Readonly<Record<string, string>>;
  scope: Omit<CallScope, 'timeoutMs' | 'database'>;
  /** Nobody waits for it: it ends at once when the client drains, and stands in no report. */
  unattended?: boolean;
  /** It is to find out how the server is, and is let through where others are not. */
  probes?: boolean;
  /** A refusal that the SDK swallows is an error even where the caller wants statuses: there is none to look at. */
  strict?: boolean;
}

/** The client behind a call: what its caller gets in the end. */
export interface CallOwner {
  readonly timers: DeadlineTimers;
  /** Credentials of each request, as they are now. */
  readonly authorization: Readonly<Record<string, string>>;
  /** @param unsent what the call waited for if nothing is on the wire */
  deadlineError(call: Call, unsent: PoolFailure | undefined): Error;
  abortedError(call: Call, reason: unknown): Error;
  /** The failure that the SDK's code made a success of, if it did. */
  swallowedError(call: Call): Error | undefined;
  /** What the SDK's code threw, as the caller wants it. */
  toError(call: Call, thrown: unknown): unknown;
  retrying(call: Call, rpc: string, attempts: number, pauseMs: number, why: string): void;
  callEnded(call: Call): void;
}

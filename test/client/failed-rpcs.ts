import { expect } from '@jest/globals';
import type { FailedCall } from '../../lib/client/failed-call.js';
import type { Delivered, RpcFailure } from '../../lib/endpoint/rpc.js';
import { RpcError } from '../../lib/endpoint/rpc.js';
import { MilvusError } from '../../lib/index.js';
import { PoolFailure, type PoolFailureReason } from '../../lib/pool/pool-failure.js';
import type { AttemptFailure } from '../../lib/transport/attempt.js';
import { ConnectError, type ConnectFailure } from '../../lib/transport/connect-error.js';

export const failedCall: FailedCall = {
  client: 'search',
  method: 'insert',
  limit: { timeoutMs: 1_000, setBy: '`timeouts.writeMs`' },
};

export const snapshot = { size: 4, maxConnections: 4, inFlight: 400, pending: 7, leases: 0, maxLeases: 5 };

/** An attempt that Milvus ended with UNAVAILABLE, but for what is given. */
export function failedAttempt(more: Partial<AttemptFailure> = {}): AttemptFailure {
  return {
    ok: false,
    code: 14,
    message: 'gone',
    processed: 'unknown',
    connectionDied: false,
    origin: 'server',
    silent: false,
    unanswered: false,
    notGrpc: false,
    unreadable: false,
    ...more,
  };
}

export function poolFailure(reason: PoolFailureReason, connect?: ConnectFailure): PoolFailure {
  const connectError = connect && new ConnectError('milvus:19530: it failed', connect, 'Check the host');
  return new PoolFailure(reason, snapshot, connectError, reason === 'line-full' ? undefined : 'own');
}

export function wire(attempt: Partial<AttemptFailure> = {}): RpcFailure {
  return { at: 'wire', authority: 'milvus:19530', attempt: failedAttempt(attempt) };
}

export function pool(reason: PoolFailureReason, connect?: ConnectFailure): RpcFailure {
  return { at: 'pool', pool: poolFailure(reason, connect) };
}

/** What came of a write that was sent once, and may have been executed, but for what is given. */
export function delivered(more: Partial<Delivered> = {}): Delivered {
  return { attempts: 1, uncertain: true, writes: true, repeatable: false, hope: 'none', ...more };
}

export function rpcError(failure: RpcFailure, came?: Delivered, rpc = 'Insert'): RpcError {
  const code = failure.at === 'wire' ? failure.attempt.code : 14;
  return new RpcError(rpc, code, 'details', failure, { delivered: came });
}

/** What every error of a call has in common. */
export function expectErrorOf(
  error: Error,
  type: new (...args: never[]) => Error,
  code: string,
  message: RegExp,
): void {
  expect(error).toBeInstanceOf(MilvusError);
  expect(error.constructor).toBe(type);
  expect(error.name).toBe(type.name);
  expect(error).toMatchObject({ code, client: 'search', method: 'insert' });
  expect(error.message).toMatch(/^Milvus client "search": insert/);
  expect(error.message).toMatch(message);
  expect(error.message).not.toMatch(/undefined|\[object|\.\.|\. \.|: $/);
}

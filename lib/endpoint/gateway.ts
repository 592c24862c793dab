import type { ConnectionSource, PoolUser } from '../pool/connection-source.js';
import type { Member } from '../pool/member.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { Verdict } from '../pool/trust.js';
import { systemClock } from '../resilience/clock.js';
import type { Attempt, AttemptFailure, AttemptOutcome } from '../transport/attempt.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import { poolError, type Rpc, type RpcCall, RpcError } from './rpc.js';

/** The way of one RPC to the wire, top to bottom: encode, find a connection, send, decode. */
export class Gateway {
  constructor(private readonly pool: ConnectionSource<Http2Connection>) {}

  /**
   * Sends one RPC within its call's deadline.
   *
   * @throws RpcError when there is no answer
   */
  async send(rpc: Rpc, call: RpcCall): Promise<object> {
    const message = encode(rpc);
    const answer = await this.transfer(rpc, message, call);
    try {
      return rpc.method.deserialize(answer);
    } catch (error) {
      throw unreadable(rpc, error as Error);
    }
  }

  private transfer(rpc: Rpc, message: Uint8Array, call: RpcCall): Promise<Buffer> {
    let source = call.connections ?? this.pool;
    return new Promise((resolve, reject) => {
      if (call.ended) return reject(callEnded(rpc));
      const timeLeft = () => Math.min(rpc.timeoutMs, call.deadline.remainingMs());
      let attempt: Attempt | undefined;
      let leaveLine = () => {};
      const cancel = () => {
        if (attempt) return attempt.cancel();
        leaveLine();
        reject(callEnded(rpc));
      };
      const unsent = () => (attempt ? undefined : source.whyNone());
      const forget = call.begin({ cancel, unsent });
      const use = async (member: Member<Http2Connection>) => {
        const { connection } = member;
        const sentAt = systemClock.now();
        const metadata = { ...call.metadata, ...rpc.metadata };
        attempt = connection.send({ path: rpc.method.path, message, metadata, timeoutMs: timeLeft() });
        const outcome = await attempt.outcome;
        source.ended(member, verdictOf(outcome, call), sentAt);
        if (mayGoElsewhere(outcome, connection) && !call.ended) {
          attempt = undefined;
          rpc.timeoutMs -= systemClock.now() - sentAt;
          leaveLine = source.acquire(user, timeLeft());
          return;
        }
        forget();
        if (outcome.ok) resolve(outcome.message);
        else reject(wireError(rpc, connection.authority, outcome));
      };
      const fail = (failure: PoolFailure) => {
        if (failure.reason === 'released' && !call.ended) {
          source = this.pool;
          user.ticket = undefined;
          leaveLine = source.acquire(user, timeLeft());
          return;
        }
        forget();
        reject(poolError(rpc.method.name, failure));
      };
      const user: PoolUser<Http2Connection> = { ticket: undefined, use, fail };
      leaveLine = source.acquire(user, timeLeft());
    });
  }
}

/**
 * The connection takes no calls any more, and HTTP/2 proves that the server did not look at this one: it takes its place
 * in the line again, as if it had not been sent.
 */
function mayGoElsewhere(outcome: AttemptOutcome, { open }: Http2Connection): boolean {
  return !outcome.ok && outcome.processed === 'no' && outcome.origin === 'transport' && !open;
}

/** What the outcome says of the connection. */
function verdictOf(outcome: AttemptOutcome, { deadline }: RpcCall): Verdict {
  if (outcome.ok) return 'answered';
  const { origin, code, silent, connectionDied, resetCode } = outcome;
  if (origin === 'server') return code === GrpcCode.UNAVAILABLE ? 'failed' : 'answered';
  // An answer that is too large, or cannot be read, is the answer of a server that works.
  if (origin === 'transport')
    return connectionDied ? 'nothing' : resetCode === undefined ? 'answered' : 'failed';
  // A caller who gives up before the time is up says nothing of the connection. Node fires timers up to 1 ms early.
  const timedOut = code === GrpcCode.DEADLINE_EXCEEDED || deadline.remainingMs() < 2;
  return silent && timedOut ? 'silent' : 'nothing';
}

function encode({ method, request }: Rpc): Uint8Array {
  try {
    return method.serialize(request);
  } catch (error) {
    // The words of grpc-js, here and below.
    const details = `Request message serialization failure: ${(error as Error).message}`;
    throw new RpcError(method.name, GrpcCode.INTERNAL, details, { at: 'request' }, error);
  }
}

function unreadable({ method }: Rpc, error: Error): RpcError {
  const details = `Response message parsing error: ${error.message}`;
  return new RpcError(method.name, GrpcCode.INTERNAL, details, { at: 'answer' }, error);
}

function callEnded({ method }: Rpc): RpcError {
  return new RpcError(method.name, GrpcCode.CANCELLED, 'its call has ended', { at: 'call' });
}

function wireError({ method }: Rpc, authority: string, attempt: AttemptFailure): RpcError {
  return new RpcError(method.name, attempt.code, attempt.message, { at: 'wire', authority, attempt });
}

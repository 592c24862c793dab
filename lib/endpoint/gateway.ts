import type { ConnectionPool } from '../pool/connection-pool.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { Attempt, AttemptFailure } from '../transport/attempt.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import { type Rpc, type RpcCall, RpcError } from './rpc.js';

/** The way of one RPC to the wire, top to bottom: encode, find a connection, send, decode. */
export class Gateway {
  constructor(private readonly pool: ConnectionPool<Http2Connection>) {}

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
      const unsent = () => (attempt ? undefined : this.pool.whyNone());
      const forget = call.begin({ cancel, unsent });
      const use = async (connection: Http2Connection) => {
        const metadata = { ...call.metadata, ...rpc.metadata };
        attempt = connection.send({ path: rpc.method.path, message, metadata, timeoutMs: timeLeft() });
        const outcome = await attempt.outcome;
        forget();
        if (outcome.ok) resolve(outcome.message);
        else reject(wireError(rpc, connection.authority, outcome));
      };
      const fail = (failure: PoolFailure) => {
        forget();
        reject(poolError(rpc, failure));
      };
      leaveLine = this.pool.acquire({ use, fail }, timeLeft());
    });
  }
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

function poolError({ method }: Rpc, pool: PoolFailure): RpcError {
  const code = pool.reason === 'unreachable' ? GrpcCode.UNAVAILABLE : GrpcCode.RESOURCE_EXHAUSTED;
  return new RpcError(method.name, code, pool.message, { at: 'pool', pool });
}

import type { Gateway } from '../endpoint/gateway.js';
import { type Rpc, RpcError } from '../endpoint/rpc.js';
import { noCredentials } from '../endpoint/rpc-errors.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { Call } from './call.js';
import type { ClientCredentials } from './client-credentials.js';
import { REFRESH } from './failed-call.js';
import { notRefreshedError } from './wire-errors.js';

/** In whose name the calls of a client are sent, and whether Milvus knows it. */
export class ClientIdentity {
  /** Milvus knew nobody by the credentials that were sent last. */
  refused = false;

  constructor(
    private readonly client: string,
    readonly credentials: ClientCredentials,
    private readonly gateway: Gateway,
  ) {}

  /** Sends one RPC of a call. */
  send(rpc: Rpc, call: Call): Promise<object> {
    return this.credentials.fixed ? this.gateway.send(rpc, call) : this.sendAsAsked(rpc, call);
  }

  /** What came of a request. */
  heard(error?: unknown): void {
    if (!error) this.refused = false;
    else if (error instanceof RpcError && error.code === GrpcCode.UNAUTHENTICATED) this.refused = true;
  }

  /**
   * Has the `credentials` function asked, if there is one.
   *
   * @throws MilvusAuthenticationError when it gives none; those there were stay
   */
  async refresh(): Promise<void> {
    if (this.credentials.fixed) return;
    const fail = (error: Error) => {
      throw notRefreshedError(error, { client: this.client, method: REFRESH });
    };
    await this.credentials.refresh().catch(fail);
  }

  /** Once more, if Milvus refuses the credentials and there are others by then: it executed nothing. */
  private async sendAsAsked(rpc: Rpc, call: Call): Promise<object> {
    const { credentials, gateway } = this;
    const none = (error: Error) => {
      throw noCredentials(rpc, error);
    };
    if (!credentials.known) await call.waitFor('`credentials`', credentials.first()).catch(none);
    try {
      return await gateway.send(rpc, call);
    } catch (error) {
      if (!isRefusedIdentity(error)) throw error;
      const others = await call.waitFor('`credentials`', credentials.renew(rpc.sentAs)).catch(none);
      if (!others) throw error;
      rpc.before = error.delivered;
      const answer = await gateway.send(rpc, call);
      credentials.accepted();
      return answer;
    }
  }
}

/** Milvus knows nobody by these credentials. */
function isRefusedIdentity(error: unknown): error is RpcError {
  if (!(error instanceof RpcError) || error.failure.at !== 'wire') return false;
  const { code, origin } = error.failure.attempt;
  return code === GrpcCode.UNAUTHENTICATED && origin === 'server';
}

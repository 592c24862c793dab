import { type Clock, systemClock } from '../resilience/clock.js';
import { Deadline } from '../resilience/deadline.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { Gateway } from './gateway.js';
import type { ServerCondition } from './prober.js';
import { type ResponseStatus, refusalIn } from './response-status.js';
import { type RpcCall, RpcError, type RpcMethod, type RpcUnderWay } from './rpc.js';

/** With which RPCs a server is asked how it is, and in whose name. */
export interface ServerQuestions {
  readonly checkHealth: RpcMethod;
  readonly getVersion: RpcMethod;
  metadata(): Readonly<Record<string, string>>;
  /** Milvus does not answer to that name. */
  refused?(): void;
}

/** Asks a server how it is; one question at a time. */
export class ServerQuestion {
  private underWay?: RpcUnderWay;
  private knowsCheckHealth = true;

  constructor(
    private readonly gateway: Gateway,
    private readonly questions: ServerQuestions,
    private readonly clock: Clock = systemClock,
  ) {}

  /** Never rejects. `undefined` when it found no room among the calls, which says nothing of the server. */
  async ask(timeoutMs: number): Promise<ServerCondition | undefined> {
    const deadline = new Deadline(timeoutMs, this.clock);
    const { checkHealth, getVersion } = this.questions;
    try {
      if (!this.knowsCheckHealth) {
        await this.send(getVersion, timeoutMs);
        return { healthy: true };
      }
      return conditionIn(await this.send(checkHealth, timeoutMs));
    } catch (error) {
      const failure = error as RpcError;
      if (failure.code === GrpcCode.UNIMPLEMENTED && this.knowsCheckHealth) {
        this.knowsCheckHealth = false;
        return this.ask(deadline.remainingMs());
      }
      if (failure.code === GrpcCode.UNAUTHENTICATED) this.questions.refused?.();
      return conditionAfter(failure, timeoutMs);
    }
  }

  /** Nobody wants to know any more. */
  stop(): void {
    this.underWay?.cancel();
  }

  private send(method: RpcMethod, timeoutMs: number): Promise<object> {
    const question = this;
    const call: RpcCall = {
      deadline: new Deadline(timeoutMs, this.clock),
      metadata: this.questions.metadata(),
      retry: false,
      idempotent: false,
      ended: false,
      probes: true,
      begin(rpc) {
        question.underWay = rpc;
        return () => {
          question.underWay = undefined;
        };
      },
    };
    return this.gateway.send({ method, request: {}, timeoutMs }, call);
  }
}

function conditionIn(answer: ResponseStatus & { isHealthy?: boolean; reasons?: string[] }): ServerCondition {
  if (answer.isHealthy === true) return { healthy: true };
  const refused = refusalIn(answer)?.reason;
  const reason = answer.reasons?.join('; ') || refused || 'it gives no reason';
  return { healthy: false, reason: `Milvus says that it is not healthy: ${reason}` };
}

function conditionAfter(error: RpcError, timeoutMs: number): ServerCondition | undefined {
  const { code, failure } = error;
  // Whoever refuses credentials is alive.
  if (code === GrpcCode.UNAUTHENTICATED || code === GrpcCode.PERMISSION_DENIED) return { healthy: true };
  if (failure.at === 'pool') {
    const { reason, connectError } = failure.pool;
    if (reason !== 'unreachable') return undefined;
    const why = connectError ? `${connectError.message}. ${connectError.remedy}` : 'there is no connection';
    return { healthy: false, reason: why, silent: true };
  }
  if (failure.at === 'call') return undefined;
  const silent = code === GrpcCode.DEADLINE_EXCEEDED;
  const why = silent ? `no answer within ${Math.round(timeoutMs)} ms` : error.message;
  return { healthy: false, reason: `Milvus was asked how it is: ${why}`, silent: true };
}

import type { Rpc, RpcError, RpcMethod } from '../endpoint/rpc.js';
import { systemClock } from '../resilience/clock.js';
import { limitOf } from './call-limits.js';
import type { ClientRuntime } from './client-runtime.js';
import type { HeldConnection } from './milvus-lease.js';

/** What Milvus says of itself when a client introduces itself. */
export interface ServerGreeting {
  /** Milvus's name for this client; sent with each later call. */
  identifier?: string;
  server_info?: { build_tags?: string; [key: string]: unknown };
}

export interface MilvusPing {
  /** From the call to its answer, waiting for a connection included. */
  latencyMs: number;
  /** What the server calls its version, e.g. `v2.6.2`. */
  version: string;
}

export interface MilvusHealth {
  /** Milvus itself said so: CheckHealth answered `isHealthy: true`. */
  healthy: boolean;
  latencyMs: number;
  /** Milvus's own reasons when it is not. */
  reason?: string;
}

/** The questions that a client itself asks of its server. */
export class ServerProbe {
  constructor(
    private readonly runtime: ClientRuntime,
    private readonly methods: ReadonlyMap<string, RpcMethod>,
    private readonly metadata: () => Readonly<Record<string, string>>,
  ) {}

  /** Introduces the client: Milvus checks credentials and database, and answers with an identifier. */
  async connect(sdkVersion: string, timeoutMs: number): Promise<ServerGreeting> {
    const { credentials } = this.runtime.identity;
    const client_info = {
      sdk_type: 'nodejs',
      sdk_version: sdkVersion,
      local_time: new Date().toISOString(),
      // Read when it is sent: its `credentials` function may not have been asked yet.
      get user() {
        return credentials.user;
      },
      reserved: {},
    };
    return this.ask<ServerGreeting>('connect', 'Connect', { client_info }, timeoutMs, {
      unattended: true,
      setBy: '`startup.timeoutMs`',
    });
  }

  /** @param lease whose connection to ask on */
  async ping(timeoutMs: number, lease?: HeldConnection): Promise<MilvusPing> {
    const startedAt = systemClock.now();
    const { version } = await this.ask<{ version: string }>('ping', 'GetVersion', {}, timeoutMs, { lease });
    this.runtime.endpoint.heard(true);
    return { version, latencyMs: systemClock.now() - startedAt };
  }

  async health(timeoutMs: number, lease?: HeldConnection): Promise<MilvusHealth> {
    const startedAt = systemClock.now();
    const { isHealthy, reasons } = await this.ask<{ isHealthy?: boolean; reasons?: string[] }>(
      'checkHealth',
      'CheckHealth',
      {},
      timeoutMs,
      { lease },
    );
    const latencyMs = systemClock.now() - startedAt;
    this.runtime.endpoint.heard(isHealthy === true);
    if (isHealthy === true) return { healthy: true, latencyMs };
    return { healthy: false, latencyMs, reason: reasons?.join('; ') || 'Milvus says it is not healthy' };
  }

  private async ask<Answer>(
    name: string,
    rpc: string,
    request: object,
    timeoutMs: number,
    {
      unattended = false,
      lease,
      setBy,
    }: { unattended?: boolean; lease?: HeldConnection; setBy?: string } = {},
  ): Promise<Answer> {
    const method = this.methods.get(rpc)!;
    const limit = { ...limitOf(timeoutMs), ...(setBy && { setBy }) };
    const probe = {
      method: name,
      metadata: this.metadata(),
      limit,
      probes: true,
      // Whoever asks for a sign of life wants to know how it is now.
      scope: { errors: 'throw' as const, retry: false as const, lease },
      unattended,
    };
    const answer = await this.runtime.call(probe, async call => {
      // Past the runtime, which would bound it by its class: the limit that was asked for is the only one.
      const rpc: Rpc = { method, request, timeoutMs };
      const { identity } = this.runtime;
      const answered = await identity.send(rpc, call).catch((error: RpcError) => {
        identity.heard(error);
        throw error;
      });
      identity.heard();
      call.answered(method, answered, rpc.delivered);
      return answered;
    });
    return answer as Answer;
  }
}

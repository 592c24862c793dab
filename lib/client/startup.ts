import { setTimeout as sleep } from 'node:timers/promises';
import { CONNECT_STATUS, MilvusClient } from '@zilliz/milvus2-sdk-node';
import {
  MilvusAuthenticationError,
  MilvusClosedError,
  MilvusDeadlineExceededError,
  MilvusInitializationError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import { MilvusServerError } from '../errors/server-error.js';
import { inBackground } from '../resilience/background.js';
import { backoffDelayMs } from '../resilience/backoff.js';
import { systemClock } from '../resilience/clock.js';
import { Deadline } from '../resilience/deadline.js';
import { WaitingLog } from '../telemetry/waiting-log.js';
import { ConnectError } from '../transport/connect-error.js';
import { GrpcCode } from '../transport/grpc-status.js';
import { IDENTIFIER_KEY, metadataOf } from './call-view.js';
import type { ClientRuntime } from './client-runtime.js';
import { hopeAfter } from './hope.js';
import type { ServerProbe } from './server-probe.js';

const EAGER_PACE = { initialDelayMs: 100, maxDelayMs: 500, multiplier: 2, jitter: 'equal' as const };
const BACKGROUND_PACE = { initialDelayMs: 500, maxDelayMs: 5_000, multiplier: 2, jitter: 'equal' as const };

/** gRPC codes that HTTP statuses of something else than Milvus stand for. */
const permanentCodes = new Set<number>([GrpcCode.UNIMPLEMENTED, GrpcCode.PERMISSION_DENIED]);

/** How a client comes up with its application, by `startup.mode`. */
export class Startup {
  /** What befalls this client alone, as a wrong password. */
  private readonly waiting = new WaitingLog();

  constructor(
    private readonly runtime: ClientRuntime,
    private readonly probe: ServerProbe,
    private readonly client: MilvusClient,
  ) {}

  /**
   * Resolves when the client may be used, as its mode defines it.
   *
   * @throws MilvusInitializationError in mode `eager`, when Milvus did not accept the client in time
   */
  async run(): Promise<void> {
    switch (this.runtime.options.startup.mode) {
      case 'eager':
        return this.eager();
      case 'background':
        void inBackground(() => this.background());
        return;
      case 'lazy':
        return;
    }
  }

  private async eager(): Promise<void> {
    const { name, startup } = this.runtime.options;
    const deadline = new Deadline(startup.timeoutMs);
    for (let tries = 1; ; tries++) {
      const error = await this.try(deadline.remainingMs());
      if (!error) return;
      const pauseMs = backoffDelayMs(EAGER_PACE, tries - 1, Math.random());
      if (isTransient(error) && pauseMs < deadline.remainingMs()) {
        await this.pause(pauseMs, true);
        continue;
      }
      const tried = `Tried: Connect to ${this.runtime.endpoint.name}, ${tries === 1 ? 'once' : `${tries} times`} in ${Math.round(startup.timeoutMs - deadline.remainingMs())} ms (startup.timeoutMs is ${startup.timeoutMs})`;
      throw new MilvusInitializationError(
        `Milvus client "${name}" could not start. ${tried}. ${error.message}`,
        { client: name, attempts: tries, cause: error },
      );
    }
  }

  /** Goes on until it succeeds or the client drains. Never rejects: nobody waits for it. */
  private async background(): Promise<void> {
    const { endSignal, options } = this.runtime;
    for (let tries = 1; !endSignal.aborted; tries++) {
      const error = await this.try(options.startup.timeoutMs);
      if (!error) return;
      const pauseMs = backoffDelayMs(BACKGROUND_PACE, tries - 1, Math.random());
      await this.pause(pauseMs, false);
    }
  }

  /** Until the client drains. */
  private pause(pauseMs: number, keepAlive: boolean): Promise<void> {
    const { endSignal: signal } = this.runtime;
    return sleep(pauseMs, undefined, { signal, ref: keepAlive }).catch(() => {});
  }

  /** Whether all clients of the endpoint are about to meet the same. */
  private isOfEndpoint(error: Error): boolean {
    const mayPass = isTransient(error) && !(error instanceof MilvusAuthenticationError);
    return mayPass && this.runtime.identity.credentials.known;
  }

  /** Introduces the client to Milvus, and keeps what Milvus answers. */
  private async introduce(timeoutMs: number): Promise<{ version?: string }> {
    const { probe, client } = this;
    const { identifier, server_info } = await probe.connect(MilvusClient.sdkInfo.version, timeoutMs);
    if (identifier) metadataOf(client).set(IDENTIFIER_KEY, identifier);
    if (server_info) client.serverInfo = server_info as typeof client.serverInfo;
    client.connectStatus = CONNECT_STATUS.CONNECTED;
    return { version: server_info?.build_tags };
  }

  private async try(timeoutMs: number): Promise<Error | undefined> {
    const startedAt = systemClock.now();
    const { options, log, waiting: ofEndpoint } = this.runtime;
    try {
      const { version } = await this.introduce(timeoutMs);
      log.connected(version, systemClock.now() - startedAt);
      for (const waiting of [this.waiting, ofEndpoint]) waiting.over(options.name);
      return undefined;
    } catch (error) {
      const waiting = this.isOfEndpoint(error as Error) ? ofEndpoint : this.waiting;
      if (!(error instanceof MilvusClosedError)) waiting.failed(options.name, log, error as Error);
      return error as Error;
    }
  }
}

/** Whether the same try may succeed a moment later without anybody changing a setting. */
function isTransient(error: Error): boolean {
  // Its `credentials` function may give some a moment later.
  if (error instanceof MilvusServerError || error instanceof MilvusAuthenticationError)
    return hopeAfter(error) !== 'none';
  if (error.cause instanceof ConnectError) return !error.cause.permanent;
  if (error instanceof MilvusUnavailableError) return !permanentCodes.has(error.grpcCode ?? -1);
  return error instanceof MilvusPoolExhaustedError || error instanceof MilvusDeadlineExceededError;
}

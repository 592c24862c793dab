import { setTimeout as sleep } from 'node:timers/promises';
import {
  MilvusDeadlineExceededError,
  MilvusInitializationError,
  MilvusPoolExhaustedError,
  MilvusUnavailableError,
} from '../errors/connection-errors.js';
import { MilvusServerError } from '../errors/server-error.js';
import { backoffDelayMs } from '../resilience/backoff.js';
import { systemClock } from '../resilience/clock.js';
import { Deadline } from '../resilience/deadline.js';
import { ConnectError } from '../transport/connect-error.js';
import { GrpcCode } from '../transport/grpc-status.js';
import type { ClientRuntime } from './client-runtime.js';
import { hopeAfter } from './hope.js';

/** Connects once: introduces the client to Milvus. Rejects when Milvus cannot be reached or refuses it. */
export type Introduce = (timeoutMs: number) => Promise<{ version?: string }>;

const EAGER_PACE = { initialDelayMs: 100, maxDelayMs: 500, multiplier: 2, jitter: 'equal' as const };
const BACKGROUND_PACE = { initialDelayMs: 500, maxDelayMs: 5_000, multiplier: 2, jitter: 'equal' as const };

/** gRPC codes that HTTP statuses of something else than Milvus stand for. */
const permanentCodes = new Set<number>([GrpcCode.UNIMPLEMENTED, GrpcCode.PERMISSION_DENIED]);

/** How a client comes up with its application, by `startup.mode`. */
export class Startup {
  constructor(
    private readonly runtime: ClientRuntime,
    private readonly introduce: Introduce,
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
        void this.background();
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
        await sleep(pauseMs);
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
    const { endSignal, log, options } = this.runtime;
    for (let tries = 1; !endSignal.aborted; tries++) {
      const error = await this.try(options.startup.timeoutMs);
      if (!error) return;
      if (tries === 1) log.startFailed(error);
      const pauseMs = backoffDelayMs(BACKGROUND_PACE, tries - 1, Math.random());
      await sleep(pauseMs, undefined, { signal: endSignal, ref: false }).catch(() => {});
    }
  }

  private async try(timeoutMs: number): Promise<Error | undefined> {
    const startedAt = systemClock.now();
    try {
      const { version } = await this.introduce(timeoutMs);
      this.runtime.log.started(this.runtime.endpoint.name, version, systemClock.now() - startedAt);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }
}

/** Whether the same try may succeed a moment later without anybody changing a setting. */
function isTransient(error: Error): boolean {
  if (error instanceof MilvusServerError) return hopeAfter(error) !== 'none';
  if (error.cause instanceof ConnectError) return !error.cause.permanent;
  if (error instanceof MilvusUnavailableError) return !permanentCodes.has(error.grpcCode ?? -1);
  return error instanceof MilvusPoolExhaustedError || error instanceof MilvusDeadlineExceededError;
}

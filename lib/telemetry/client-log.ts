import { Logger } from '@nestjs/common';
import type { ConnectError } from '../transport/connect-error.js';
import type { PoolObserver, PoolState } from './pool-telemetry.js';

/** What the log needs of a drain's report. */
interface Drained {
  outcome: string;
  finishedCalls: number;
  cancelledCalls: number;
  durationMs: number;
}

/**
 * One client's log lines, through Nest's logger with the context `Milvus:<name>`. A change of state once, at `log` or
 * `warn`; single connections at `debug`; nothing per call.
 */
export class ClientLog implements PoolObserver {
  private readonly logger: Logger;
  private lastError?: ConnectError;

  constructor(name: string) {
    this.logger = new Logger(`Milvus:${name}`);
  }

  started(addresses: string, version: string | undefined, tookMs: number): void {
    this.write(
      'log',
      `connected to ${addresses}${version ? ` (Milvus ${version})` : ''} in ${Math.round(tookMs)} ms`,
    );
  }

  startFailed(error: Error): void {
    this.write('warn', `not connected yet, trying on: ${error.message}`);
  }

  stateChanged(from: PoolState, to: PoolState): void {
    const change = `${from} → ${to}`;
    if (to === 'unavailable' || to === 'degraded')
      this.write('warn', `${change}: ${this.explainLastError()}`);
    else if (from === 'unavailable' || from === 'degraded') this.write('log', change);
    else this.write('debug', change);
  }

  connectionOpened(address: string, tookMs: number): void {
    this.write('debug', `connection to ${address} opened in ${Math.round(tookMs)} ms`);
  }

  connectionClosed(address: string, reason: string): void {
    this.write('debug', `connection to ${address} closed: ${reason}`);
  }

  connectFailed(error: ConnectError): void {
    this.lastError = error;
    this.write('debug', `connecting failed: ${error.message}`);
  }

  draining(inFlight: number, timeoutMs: number): void {
    this.write('debug', `draining: ${inFlight} calls in flight, at most ${timeoutMs} ms`);
  }

  drained({ outcome, finishedCalls, cancelledCalls, durationMs }: Drained): void {
    const line = `closed in ${Math.round(durationMs)} ms: ${finishedCalls} calls finished, ${cancelledCalls} cancelled`;
    if (outcome === 'clean') this.write('log', line);
    else this.write('warn', `${line} at shutdown.drainTimeoutMs`);
  }

  /** The logger is the application's. One that throws must not cost a connection. */
  private write(level: 'log' | 'warn' | 'debug', line: string): void {
    try {
      this.logger[level](line);
    } catch {
      // There is nobody left to tell.
    }
  }

  private explainLastError(): string {
    return this.lastError ? `${this.lastError.message}. ${this.lastError.remedy}` : 'no connection';
  }
}

import { Logger } from '@nestjs/common';
import type { ConnectError } from '../transport/connect-error.js';
import type { HeldLease, LeakObserver } from './leases.js';
import type { EndpointObserver, PoolState } from './pool-telemetry.js';

/** What the log needs of a drain's report. */
interface Drained {
  outcome: string;
  finishedCalls: number;
  cancelledCalls: number;
  heldLeases: number;
  durationMs: number;
}

/**
 * One client's log lines, through Nest's logger with the context `Milvus:<name>`. A change of state once, at `log` or
 * `warn`; single connections at `debug`; nothing per call.
 */
export class ClientLog implements EndpointObserver, LeakObserver {
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

  stateChanged(from: PoolState, to: PoolState, reason = this.explainLastError()): void {
    const change = `${from} → ${to}`;
    if (to === 'unavailable' || to === 'degraded') this.write('warn', `${change}: ${reason}`);
    else if (from === 'unavailable' || from === 'degraded') this.write('log', change);
    else this.write('debug', change);
  }

  connectionOpened(address: string, tookMs: number): void {
    this.write('debug', `connection to ${address} opened in ${Math.round(tookMs)} ms`);
  }

  connectionClosed(address: string, reason: string, detail: string): void {
    this.write('debug', `connection to ${address} closed (${reason}): ${detail}`);
  }

  connectFailed(error: ConnectError): void {
    this.lastError = error;
    this.write('debug', `connecting failed: ${error.message}`);
  }

  retrying(rpc: string, attempts: number, pauseMs: number, why: string): void {
    this.write(
      'debug',
      `${rpc} failed (attempt ${attempts}), is sent again in ${Math.round(pauseMs)} ms: ${why}`,
    );
  }

  leaseLeaked({ ageMs, stack }: HeldLease): void {
    this.write(
      'warn',
      `a lease is held for ${Math.round(ageMs)} ms and was not released. It was acquired here:\n${stack}`,
    );
  }

  tooManyLeases(leases: readonly HeldLease[], maxHeld: number): void {
    const stacks = leases.map(
      ({ ageMs, stack }) => `- for ${Math.round(ageMs)} ms, acquired here:\n${stack}`,
    );
    this.write(
      'warn',
      `${leases.length} leases are held at once, more than leakDetection.maxHeld (${maxHeld}):\n${stacks.join('\n')}`,
    );
  }

  draining(inFlight: number, timeoutMs: number): void {
    this.write('debug', `draining: ${inFlight} calls in flight, at most ${timeoutMs} ms`);
  }

  drained({ outcome, finishedCalls, cancelledCalls, heldLeases, durationMs }: Drained): void {
    const leases = heldLeases > 0 ? `, ${heldLeases} leases not released` : '';
    const line = `closed in ${Math.round(durationMs)} ms: ${finishedCalls} calls finished, ${cancelledCalls} cancelled${leases}`;
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

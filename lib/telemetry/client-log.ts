import type { ConnectError } from '../transport/connect-error.js';
import type { HeldLease, LeakObserver } from './leases.js';
import type { EndpointObserver, PoolState } from './pool-telemetry.js';
import { type LogFields, type LogLevel, StructuredLogger } from './structured-logger.js';

/** What the log needs of a drain's report. */
interface Drained {
  outcome: string;
  finishedCalls: number;
  cancelledCalls: number;
  cancelled: readonly { readonly method: string; readonly ageMs: number }[];
  heldLeases: number;
  leases: readonly HeldLease[];
  durationMs: number;
  error?: string;
}

/** Where the client's calls go, and which clients' calls go there. */
interface LoggedEndpoint {
  readonly name: string;
  readonly users: readonly string[];
}

/** Most names of clients in one line. */
const MAX_NAMES = 5;

/**
 * One client's log lines, with the context `Milvus:<name>`; the README has the table of their levels. What happens in an
 * endpoint that several clients share is told by the first of them, once.
 */
export class ClientLog implements EndpointObserver, LeakObserver {
  /** Of a client that comes and goes with a piece of work: its ordinary news are at debug. */
  quiet = false;
  private logger?: StructuredLogger;
  private lastError?: ConnectError;

  constructor(
    private readonly client: string,
    private readonly endpoint: () => LoggedEndpoint,
  ) {}

  connected(version: string | undefined, durationMs: number): void {
    const milvus = version ? ` (Milvus ${version})` : '';
    const { name } = this.endpoint();
    const line = `connected to ${name}${milvus} in ${Math.round(durationMs)} ms`;
    this.write('log', line, { endpoint: name, version, durationMs: Math.round(durationMs) });
  }

  /** @param tries since the last such line, of all clients that wait for the same */
  waiting(error: Error, tries: number, clients: readonly string[]): void {
    const begin = tries === 1 ? 'not connected yet' : `still not connected after ${tries} more tries`;
    const of = clients.length > 1 ? ` (${clients.length} clients: ${listed(clients)})` : '';
    const { name } = this.endpoint();
    this.write('warn', `${begin}${of}, trying on: ${error.message}`, { endpoint: name, tries });
  }

  stateChanged(from: PoolState, to: PoolState, reason = this.explainLastError()): void {
    // The client's own end has lines of its own.
    if (to === 'draining' || to === 'closed') return;
    const change = `${from} → ${to}`;
    const worse = to === 'unavailable' || to === 'degraded';
    const better = from === 'unavailable' || from === 'degraded';
    const fields = { state: to, from, ...(worse && { reason }) };
    if (worse) this.ofEndpoint('warn', `${change}: ${reason}`, fields);
    else this.ofEndpoint(better ? 'log' : 'debug', change, fields);
  }

  connectionOpened(address: string, tookMs: number): void {
    const durationMs = Math.round(tookMs);
    this.ofEndpoint('debug', `connection to ${address} opened in ${durationMs} ms`, { address, durationMs });
  }

  connectionClosed(address: string, reason: string, detail: string): void {
    const line = `connection to ${address} closed (${reason}): ${detail}`;
    this.ofEndpoint('debug', line, { address, reason });
  }

  connectFailed(error: ConnectError): void {
    this.lastError = error;
    this.ofEndpoint('debug', `connecting failed: ${error.message}`, { reason: error.failure });
  }

  probed({ healthy, reason }: { healthy: boolean; reason?: string }, tookMs: number): void {
    const durationMs = Math.round(tookMs);
    const line = `asked how it is: ${healthy ? 'healthy' : reason}, in ${durationMs} ms`;
    this.ofEndpoint('debug', line, { healthy, durationMs });
  }

  retrying(rpc: string, attempts: number, pauseMs: number, why: string): void {
    const line = `${rpc} failed (attempt ${attempts}), is sent again in ${Math.round(pauseMs)} ms: ${why}`;
    this.write('debug', line, { rpc, attempts, pauseMs: Math.round(pauseMs) });
  }

  credentialsChanged(): void {
    this.write('log', 'its `credentials` function gave others; later requests carry them');
  }

  credentialsRefused(why: string): void {
    this.write('warn', `Milvus refuses the credentials, and there are no others: ${why}`);
  }

  leaseLeaked({ ageMs, stack }: HeldLease): void {
    const line = `a lease is held for ${Math.round(ageMs)} ms and was not released. It was acquired here:\n${stack}`;
    this.write('warn', line, { ageMs: Math.round(ageMs) });
  }

  tooManyLeases(leases: readonly HeldLease[], maxHeld: number): void {
    const line = `${leases.length} leases are held at once, more than leakDetection.maxHeld (${maxHeld}):\n${described(leases)}`;
    this.write('warn', line, { heldLeases: leases.length });
  }

  /** @param state of the pool before it */
  draining(state: PoolState, calls: number, heldLeases: number, limitMs: number): void {
    const leases = heldLeases > 0 ? ` and ${counted(heldLeases, 'lease')}` : '';
    const line = `${state} → draining: ${counted(calls, 'call')}${leases} under way, at most ${limitMs} ms`;
    // Of a thousand clients that have nothing to do, their end is news enough.
    const level = calls + heldLeases > 0 ? 'log' : 'debug';
    this.write(level, line, { state: 'draining', from: state, calls, heldLeases, limitMs });
  }

  drainPhase(phase: number, what: string): void {
    this.write('debug', `drain ${phase}/5: ${what}`, { phase });
  }

  /** The limit has come, and this is still there. */
  drainLimit(cancelled: Drained['cancelled'], cancelledCalls: number, leases: readonly HeldLease[]): void {
    const calls = cancelled.map(({ method, ageMs }) => `- ${method}, for ${Math.round(ageMs)} ms`);
    const more = cancelledCalls > cancelled.length ? [`- and ${cancelledCalls - cancelled.length} more`] : [];
    const of = [counted(cancelledCalls, 'call'), counted(leases.length, 'lease')];
    const lines = [`the drain limit has come before ${of.join(' and ')} ended:`, ...calls, ...more];
    if (leases.length > 0) lines.push(described(leases));
    this.write('warn', lines.join('\n'), {
      cancelledCalls,
      heldLeases: leases.length,
      methods: [...new Set(cancelled.map(({ method }) => method))],
    });
  }

  drained({ outcome, finishedCalls, cancelledCalls, heldLeases, durationMs, error }: Drained): void {
    const leases = heldLeases > 0 ? `, ${counted(heldLeases, 'lease')} not released` : '';
    const calls = `${counted(finishedCalls, 'call')} finished, ${cancelledCalls} cancelled`;
    const limit = outcome === 'timedOut' ? ' at the drain limit (shutdown.drainTimeoutMs)' : '';
    const failed = error === undefined ? '' : `; ${error}`;
    const line = `draining → closed in ${Math.round(durationMs)} ms: ${calls}${leases}${limit}${failed}`;
    const fields = { state: 'closed', outcome, finishedCalls, cancelledCalls, heldLeases };
    const level = outcome === 'clean' ? 'log' : 'warn';
    this.write(level, line, { ...fields, durationMs: Math.round(durationMs) });
  }

  private ofEndpoint(level: LogLevel, line: string, fields: LogFields): void {
    const { name, users } = this.endpoint();
    const others = users.filter(each => each !== this.client);
    const shared = others.length > 0 ? ` (shared by ${listed(others)})` : '';
    this.write(level, `${line}${shared}`, { endpoint: name, ...fields, sharedBy: listedNames(others) });
  }

  private write(level: LogLevel, line: string, fields?: LogFields): void {
    // Made with its first line: most of a thousand clients have none for long.
    this.logger ??= new StructuredLogger(`Milvus:${this.client}`, { client: this.client });
    this.logger.write(this.quiet && level === 'log' ? 'debug' : level, line, fields);
  }

  private explainLastError(): string {
    return this.lastError ? `${this.lastError.message}. ${this.lastError.remedy}` : 'no connection';
  }
}

function described(leases: readonly HeldLease[]): string {
  return leases
    .map(
      ({ ageMs, stack }) =>
        `- lease held for ${Math.round(ageMs)} ms${stack && `, acquired here:\n${stack}`}`,
    )
    .join('\n');
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** `a, b and 3 more` */
export function listed(names: readonly string[]): string {
  const more = names.length - MAX_NAMES;
  return more > 0 ? `${names.slice(0, MAX_NAMES).join(', ')} and ${more} more` : names.join(', ');
}

function listedNames(names: readonly string[]): readonly string[] | undefined {
  return names.length > 0 ? names.slice(0, MAX_NAMES) : undefined;
}

import type { EndpointOptions } from '../options/resolved-options.js';
import type { Clock } from '../resilience/clock.js';
import type { ConnectionStats } from '../telemetry/pool-telemetry.js';
import { ConnectError } from '../transport/connect-error.js';
import type { LeaseDesk } from './lease-desk.js';
import type { Member, PooledConnection } from './member.js';
import type { Opener } from './opener.js';
import { PoolFailure, type PoolFailureReason, type WaitLimit } from './pool-failure.js';
import type { PoolFigures } from './pool-figures.js';

/** What a pool consists of, as far as it is told about. */
export interface PoolParts<Connection extends PooledConnection> {
  readonly options: EndpointOptions['pool'];
  readonly members: ReadonlySet<Member<Connection>>;
  readonly shared: readonly Member<Connection>[];
  readonly line: { readonly pending: number };
  readonly desk: LeaseDesk<Connection>;
  readonly opener: Opener<Connection>;
  readonly figures: PoolFigures;
  readonly clock: Clock;
  /** What it connects to. */
  readonly target: string;
}

/** A server that works has taken a connection by then, in ms. */
const LONG_TRY_MS = 1_000;

/** What a pool looks like, in numbers and in words. */
export class PoolReport<Connection extends PooledConnection> {
  constructor(private readonly parts: PoolParts<Connection>) {}

  stats(): ConnectionStats {
    const { options, members, shared, line, desk, opener, figures } = this.parts;
    const { minConnections: min, maxConnections: max, maxLeases } = options;
    const size = shared.length;
    const idle = shared.filter(member => member.idle).length;
    return Object.freeze({
      connections: Object.freeze({
        size,
        idle,
        used: size - idle,
        creating: opener.opening ? 1 : 0,
        leaving: [...members].filter(({ leaving }) => leaving).length,
        min,
        max,
        overflow: size - min,
      }),
      inFlight: this.inFlight,
      pending: line.pending,
      leases: Object.freeze({ held: desk.held, pending: desk.line.pending, max: maxLeases }),
      ...figures.snapshot(),
    });
  }

  /**
   * @param pending how many wait in the line that it is about
   * @param waited the limit that ended the wait
   */
  failure(reason: PoolFailureReason, pending: number, waited?: WaitLimit): PoolFailure {
    const { options, shared, desk, opener } = this.parts;
    const { maxConnections, maxLeases } = options;
    const { inFlight } = this;
    const snapshot = {
      size: shared.length,
      maxConnections,
      inFlight,
      pending,
      leases: desk.held,
      maxLeases,
    };
    const confirmed = opener.lastError !== undefined || (opener.tryingForMs ?? 0) >= LONG_TRY_MS;
    return new PoolFailure(reason, snapshot, opener.lastError ?? this.noAnswerYet(), waited, confirmed);
  }

  /** Somebody took the connection, and nothing came of it. */
  unanswered(limitMs: number): ConnectError {
    const message = `${this.parts.target}: a new connection was accepted, but nothing was answered on it within ${limitMs} ms`;
    const remedy = 'Check that Milvus is not overloaded; the connections there were before stay meanwhile';
    return new ConnectError(message, 'timeout', remedy);
  }

  /** There is no connection and no failure yet: whoever is there does not answer. */
  private noAnswerYet(): ConnectError | undefined {
    const { opener, target } = this.parts;
    const { doubtedForMs } = this;
    if (doubtedForMs > 0) {
      const asked = `${target}: nothing has come of the open connection since it was asked for a sign of life, ${Math.round(doubtedForMs)} ms ago`;
      return new ConnectError(asked, 'unreachable', 'Check that Milvus runs, and what lies between');
    }
    if (opener.tryingForMs === undefined || this.parts.shared.length > 0) return undefined;
    const message = `${target}: no answer for ${Math.round(opener.tryingForMs)} ms, still trying`;
    return new ConnectError(message, 'timeout', 'Check host, port, firewall and network policies');
  }

  /** How long every connection that there is has been in doubt, in ms; 0 when one is not. */
  get doubtedForMs(): number {
    const now = this.parts.clock.now();
    const { shared } = this.parts;
    return shared.reduce(
      (ms, { doubtedSince = now }) => Math.min(ms, now - doubtedSince),
      shared.length && Infinity,
    );
  }

  private get inFlight(): number {
    let sum = 0;
    for (const { connection } of this.parts.members) sum += connection.inFlight;
    return sum;
  }
}

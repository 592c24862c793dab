/** How one client ended. */
export interface ClientDrainReport {
  client: string;
  /** `clean`: every call ended by itself, every lease was released. `timedOut`: some were not by the limit. */
  outcome: 'clean' | 'timedOut';
  /** Calls that were in flight when the drain began and ended by themselves. */
  finishedCalls: number;
  /** Calls that were cancelled at the limit, each with a MilvusClosedError. */
  cancelledCalls: number;
  /** Leases that were still held at the limit; their connections are closed. */
  heldLeases: number;
  durationMs: number;
}

/** How a drain ended: of one client, or of all. */
export interface DrainReport {
  /** Whether no call had to be cancelled, and no lease taken away. */
  clean: boolean;
  durationMs: number;
  clients: ClientDrainReport[];
}

export function drainReport(clients: ClientDrainReport[]): DrainReport {
  return {
    clean: clients.every(({ outcome }) => outcome === 'clean'),
    // They drain in parallel.
    durationMs: Math.max(0, ...clients.map(({ durationMs }) => durationMs)),
    clients,
  };
}

/** How one client ended. */
export interface ClientDrainReport {
  client: string;
  /** `clean`: every call ended by itself. `timedOut`: some were cancelled at the limit. */
  outcome: 'clean' | 'timedOut';
  /** Calls that were in flight when the drain began and ended by themselves. */
  finishedCalls: number;
  /** Calls that were cancelled at the limit, each with a MilvusClosedError. */
  cancelledCalls: number;
  durationMs: number;
}

/** How a drain ended: of one client, or of all. */
export interface DrainReport {
  /** Whether no call had to be cancelled. */
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

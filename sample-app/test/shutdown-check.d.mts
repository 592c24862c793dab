export interface ShutdownCheckOptions {
  /** Where the application is. */
  cwd: string;
  /** What starts it: a program and its arguments. It must be Node itself, not a wrapper that starts Node. */
  command: [string, ...string[]];
  /** Where it answers once started. */
  baseUrl: string;
  env?: Record<string, string>;
  /** Asked once each before the load. */
  prepare?: { method: string; path: string }[];
  /** Paths that the load asks in turn. Readiness is asked besides. */
  requests: string[];
  /** Connections of the load. @defaultValue 8 */
  clients?: number;
  /** Time under load before SIGTERM. @defaultValue 2000 */
  loadMs?: number;
}

/** What became of one request; times are of `performance.now()`. */
export interface Outcome {
  path: string;
  sentAt: number;
  status?: number;
  answeredAt?: number;
  /** It got no answer: why. */
  error?: string;
  /** Whether the connection had carried a request before, when there was no answer. */
  onUsedConnection?: boolean;
}

export interface ShutdownReport {
  /** What a graceful shutdown promises and this one broke. */
  faults: string[];
  exitCode: number | null;
  exitSignal: NodeJS.Signals | null;
  /** Requests as the application's HTTP server counted them; absent when the process did not exit by itself. */
  accepted?: number;
  answered?: number;
  /** Every request that was sent. */
  outcomes: Outcome[];
  signalAt: number;
  /** From SIGTERM to the end of the process. */
  shutdownMs: number;
  inFlightAtSignal: number;
  /** What the application printed. */
  output: string;
}

export function checkShutdown(options: ShutdownCheckOptions): Promise<ShutdownReport>;

/** What one load cost, seen from the client. */
export interface Load {
  opsPerSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of this process, per call. */
  cpuUsPerCall: number;
}

/** Keeps `inFlight` calls going for `durationMs`, after a warm-up of a fifth of that. */
export async function measureLoad(
  call: () => Promise<unknown>,
  inFlight: number,
  durationMs: number,
): Promise<Load> {
  await runLoad(call, inFlight, durationMs / 5);
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const latencies = await runLoad(call, inFlight, durationMs);
  const seconds = (performance.now() - startedAt) / 1000;
  const { user, system } = process.cpuUsage(cpuBefore);
  latencies.sort((a, b) => a - b);
  return {
    opsPerSecond: latencies.length / seconds,
    p50Ms: percentile(latencies, 0.5),
    p99Ms: percentile(latencies, 0.99),
    cpuUsPerCall: (user + system) / latencies.length,
  };
}

async function runLoad(
  call: () => Promise<unknown>,
  inFlight: number,
  durationMs: number,
): Promise<number[]> {
  const latencies: number[] = [];
  const end = performance.now() + durationMs;
  const worker = async () => {
    for (let now = performance.now(); now < end; ) {
      await call();
      const after = performance.now();
      latencies.push(after - now);
      now = after;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
  return latencies;
}

/** @param sorted ascending */
export function percentile(sorted: number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** A GitHub table. */
export function table(head: string[], rows: Array<Array<string | number>>): string {
  const line = (cells: Array<string | number>) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

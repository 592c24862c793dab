import { MilvusCircuitOpenError, type PooledMilvusClient } from '../../../lib/index.js';

/** One call of a {@link SteadyCalls}; `endedAt` is missing while it is under way. */
export interface Call {
  startedAt: number;
  endedAt?: number;
  /** What it failed with. */
  error?: unknown;
}

/** How often calls are made, in ms. */
const TICK_MS = 5;

/** Calls at a steady rate, whether or not the earlier ones have ended, as the requests of many users make them. */
export class SteadyCalls {
  readonly calls: Call[] = [];
  private readonly startedAt = performance.now();
  private readonly timer: NodeJS.Timeout;
  private readonly underWay = new Set<Promise<void>>();
  private due = 0;

  constructor(
    private readonly client: Pick<PooledMilvusClient, 'getLoadState'>,
    readonly perSecond = 200,
  ) {
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** No more calls. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
  }

  /** Those that began in this time. */
  between(from: number, to: number): Call[] {
    return this.calls.filter(({ startedAt }) => startedAt >= from && startedAt < to);
  }

  /** When the first one ended well that began after this. */
  firstSuccess(after: number): number | undefined {
    const ends = this.calls.filter(call => call.startedAt >= after && succeeded(call));
    return ends.length === 0 ? undefined : Math.min(...ends.map(({ endedAt }) => endedAt!));
  }

  /** Of the slowest one, in ms. */
  get longestMs(): number {
    return Math.max(...this.calls.map(({ startedAt, endedAt }) => (endedAt ?? Infinity) - startedAt));
  }

  private tick(): void {
    const due = Math.floor(((performance.now() - this.startedAt) * this.perSecond) / 1_000);
    // What a machine that stalls has missed is left out: as a burst it would not be a steady rate.
    const count = Math.min(due - this.due, 2);
    this.due = due;
    for (let each = 0; each < count; each++) this.make();
  }

  private make(): void {
    const call: Call = { startedAt: performance.now() };
    this.calls.push(call);
    const ended = this.client.getLoadState({ collection_name: 'c' }).then(
      () => {
        call.endedAt = performance.now();
      },
      error => {
        call.endedAt = performance.now();
        call.error = error;
      },
    );
    this.underWay.add(ended);
    void ended.then(() => this.underWay.delete(ended));
  }
}

export function succeeded({ endedAt, error }: Call): boolean {
  return endedAt !== undefined && error === undefined;
}

export function failedFast({ error }: Call): boolean {
  return error instanceof MilvusCircuitOpenError;
}

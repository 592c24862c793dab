/** What an attempt said of the connection that it was made on. */
export type Verdict =
  /** The server answered. */
  | 'answered'
  /** It did not, or said that it is not available. */
  | 'failed'
  /** Its time was up, and nothing at all had arrived on the connection meanwhile. */
  | 'silent'
  /** As that, but the connection lives: a PING was answered, or what is no answer to a call arrived. */
  | 'unanswered'
  /** Nothing: the caller gave up, or the connection broke. */
  | 'nothing';

/** A single failure is nothing, and two may be chance. */
const FAILURES_TO_REST = 3;
const FIRST_REST_MS = 1_000;
const LONGEST_REST_MS = 30_000;

/**
 * Whether a connection that is open deserves calls. Behind a load balancer each leads to another Milvus proxy, and one
 * of those may fail everything while it keeps its connections: such a one is left alone, for longer each time, and then
 * tried with one call at a time. Proxies call it outlier detection.
 */
export class Trust {
  /** Most calls at once that it is trusted with: all, one, or none. */
  calls = Number.POSITIVE_INFINITY;
  /** When it last answered. */
  answeredAt = Number.NEGATIVE_INFINITY;
  /** When the failures began that nothing has interrupted since. */
  failingSince = 0;
  private failures = 0;
  private rests = 0;

  get resting(): boolean {
    return this.calls === 0;
  }

  /** @returns whether it is trusted with more calls now */
  answered(now: number): boolean {
    this.answeredAt = now;
    if (this.failures === 0) return false;
    const wasLimited = this.calls < Number.POSITIVE_INFINITY;
    this.failures = 0;
    this.rests = 0;
    this.calls = Number.POSITIVE_INFINITY;
    return wasLimited;
  }

  /** @returns whether it failed so often that it should be left alone, if others work */
  failed(now: number): boolean {
    if (this.failures === 0) this.failingSince = now;
    this.failures++;
    return this.failures >= FAILURES_TO_REST;
  }

  /** @returns for how long, in ms */
  rest(): number {
    this.calls = 0;
    return Math.min(LONGEST_REST_MS, FIRST_REST_MS * 2 ** this.rests++);
  }

  /** Others do no better: it gets calls as they do. */
  forgive(): void {
    this.calls = Number.POSITIVE_INFINITY;
  }

  /** It may show that it works again. */
  tryAgain(): void {
    if (this.resting) this.calls = 1;
  }
}

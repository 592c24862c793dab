/** One HTTP request; it is under way as long as it has not ended. */
export interface SentRequest {
  startedAt: number;
  endedAt?: number;
  /** Of the answer, or why there was none. */
  status?: number | string;
}

type Send = () => Promise<number>;

async function send(make: Send, sent: SentRequest[]): Promise<void> {
  const request: SentRequest = { startedAt: performance.now() };
  sent.push(request);
  const status = await make().catch(String);
  Object.assign(request, { status, endedAt: performance.now() });
}

/** Requests that are sent until told to stop, and what became of them. */
export abstract class Requests {
  readonly sent: SentRequest[] = [];

  abstract stop(): Promise<void>;

  /** Those that began in this time. */
  between(from: number, to: number): SentRequest[] {
    return this.sent.filter(({ startedAt }) => startedAt >= from && startedAt < to);
  }

  /** Of the slowest one, in ms. */
  get longestMs(): number {
    return Math.max(...this.sent.map(({ startedAt, endedAt = Infinity }) => endedAt - startedAt));
  }

  /** Of all answers, each once. */
  get statuses(): unknown[] {
    return [...new Set(this.sent.map(({ status }) => status))];
  }

  /** Whether the last `count` that have ended began after this and succeeded. */
  workSince(time: number, count: number): boolean {
    const last = this.sent.filter(({ endedAt }) => endedAt !== undefined).slice(-count);
    return (
      last.length === count && last.every(({ startedAt, status }) => startedAt >= time && status === 200)
    );
  }
}

/** One every 20 ms, whether or not the earlier ones have ended, as many users send them. */
export class ManyRequests extends Requests {
  private readonly underWay = new Set<Promise<void>>();
  private readonly timer: NodeJS.Timeout;

  constructor(make: Send) {
    super();
    this.timer = setInterval(() => {
      const ended = send(make, this.sent);
      this.underWay.add(ended);
      void ended.then(() => this.underWay.delete(ended));
    }, 20);
  }

  override async stop(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.underWay);
  }
}

/** One after the other, as a load balancer asks. */
export class Poll extends Requests {
  private stopped = false;
  private readonly done: Promise<void>;

  constructor(private readonly make: Send) {
    super();
    this.done = this.run();
  }

  override async stop(): Promise<void> {
    this.stopped = true;
    await this.done;
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      await send(this.make, this.sent);
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }
}

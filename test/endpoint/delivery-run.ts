import { Delivery } from '../../lib/endpoint/delivery.js';
import type { DeliveryRoute } from '../../lib/endpoint/delivery-route.js';
import type { Rpc, RpcCall, RpcError, RpcUnderWay } from '../../lib/endpoint/rpc.js';
import { repeatabilityOf } from '../../lib/endpoint/rpc-catalogue.js';
import { SendFigures } from '../../lib/endpoint/send-figures.js';
import type { ConnectionSource, PoolUser } from '../../lib/pool/connection-source.js';
import type { Member } from '../../lib/pool/member.js';
import { PoolFailure, type PoolFailureReason } from '../../lib/pool/pool-failure.js';
import type { Verdict } from '../../lib/pool/trust.js';
import { CircuitBreaker } from '../../lib/resilience/circuit-breaker.js';
import { Deadline } from '../../lib/resilience/deadline.js';
import { RetryBudget } from '../../lib/resilience/retry-budget.js';
import type { RetryPolicy } from '../../lib/resilience/retry-schedule.js';
import type { AttemptOutcome, UnaryRequest } from '../../lib/transport/attempt.js';
import type { Http2Connection } from '../../lib/transport/http2-connection.js';
import { FakeClock } from '../support/fake-clock.js';

type FakeMember = Member<Http2Connection>;

const snapshot = { size: 1, maxConnections: 1, inFlight: 1, pending: 1, leases: 0, maxLeases: 5 };
export const poolFailure = (reason: PoolFailureReason) => new PoolFailure(reason, snapshot);

/** An attempt on the wire, which ends as the test says. */
export class FakeAttempt {
  readonly outcome: Promise<AttemptOutcome>;
  cancelled = 0;
  over = false;
  private settle!: (outcome: AttemptOutcome) => void;

  constructor(readonly request: UnaryRequest) {
    this.outcome = new Promise(resolve => {
      this.settle = resolve;
    });
  }

  end(outcome: AttemptOutcome): void {
    this.over = true;
    this.settle(outcome);
  }

  cancel(): void {
    this.cancelled += 1;
  }
}

/** Somebody who waits for a connection. */
export interface Waiting {
  user: PoolUser<Http2Connection>;
  limitMs: number;
  ticket: number | undefined;
  avoid: FakeMember | undefined;
}

/** Gives connections at once as long as it has room; else whoever asks waits for the test. */
export class FakeSource implements ConnectionSource<Http2Connection> {
  room = true;
  /** Everybody who asked. */
  readonly asked: Waiting[] = [];
  readonly waiting: Waiting[] = [];
  readonly attempts: FakeAttempt[] = [];
  readonly verdicts: Verdict[] = [];
  readonly why = poolFailure('no-room');
  onAttempt: (attempt: FakeAttempt) => void = () => {};
  onWait: (waiting: Waiting) => void = () => {};
  private tickets = 0;

  /** Takes calls until it is told otherwise. */
  readonly member = this.anotherMember();

  anotherMember(): FakeMember & { connection: { open: boolean } } {
    const send = (request: UnaryRequest) => {
      const attempt = new FakeAttempt(request);
      this.attempts.push(attempt);
      this.onAttempt(attempt);
      return attempt;
    };
    return { connection: { authority: 'milvus:19530', open: true, send } } as never;
  }

  acquire(user: PoolUser<Http2Connection>, limitMs: number): () => void {
    const waiting = { user, limitMs, ticket: user.ticket, avoid: user.avoid };
    user.ticket ??= ++this.tickets;
    this.asked.push(waiting);
    if (this.room) {
      user.use(this.member);
      return () => {};
    }
    this.waiting.push(waiting);
    this.onWait(waiting);
    return () => this.leave(waiting);
  }

  whyNone(): PoolFailure {
    return this.why;
  }

  ended(_member: FakeMember, verdict: Verdict): void {
    this.verdicts.push(verdict);
  }

  /** It is the first one's turn. */
  give(member: FakeMember = this.member): void {
    this.waiting.shift()!.user.use(member);
  }

  fail(reason: PoolFailureReason): void {
    this.waiting.shift()!.user.fail(poolFailure(reason));
  }

  leave(waiting: Waiting): boolean {
    const index = this.waiting.indexOf(waiting);
    if (index >= 0) this.waiting.splice(index, 1);
    return index >= 0;
  }

  /** On the wire now. */
  get attempt(): FakeAttempt {
    const last = this.attempts.at(-1);
    if (!last || last.over) throw new Error('nothing is on the wire');
    return last;
  }
}

export interface RunOptions {
  rpc?: string;
  request?: object;
  /** Of the RPC. */
  timeoutMs?: number;
  /** Of the call. */
  deadlineMs?: number;
  retry?: RetryPolicy | false;
  idempotent?: boolean;
  budget?: RetryBudget;
  random?: number;
  /** A part of a function that runs once more. */
  rerun?: boolean;
  /** The call's connections are those of a lease. */
  leased?: boolean;
  circuit?: CircuitBreaker;
  /** The call is to find out how the server is. */
  probes?: boolean;
  /** The server does not even say how it is. */
  hangs?: boolean;
}

export const policy: RetryPolicy = {
  maxAttempts: 3,
  initialDelayMs: 50,
  maxDelayMs: 2_000,
  multiplier: 2,
  jitter: 'none',
};

/** One delivery, between a call and connections that the test plays. */
export class DeliveryRun {
  readonly clock = new FakeClock();
  readonly startedAt = this.clock.now();
  readonly pool = new FakeSource();
  readonly lease = new FakeSource();
  readonly figures = new SendFigures();
  /** Each pause: of which RPC, after how many attempts, how long, and why. */
  readonly pauses: unknown[][] = [];
  /** What is known to the call, and how often it was told to forget it. */
  readonly known: RpcUnderWay[] = [];
  forgotten = 0;
  ended = false;
  answer?: object;
  error?: RpcError;
  settledAfterMs?: number;
  readonly rpc: Rpc;
  readonly delivery: Delivery;

  constructor(options: RunOptions = {}) {
    const { rpc = 'Search', timeoutMs = 10_000, deadlineMs = 10_000, retry = policy } = options;
    const name = rpc;
    this.rpc = {
      method: {
        name,
        path: `/${name}`,
        repeatability: repeatabilityOf(name),
        serialize: request => Buffer.from(JSON.stringify(request)),
        deserialize: message => JSON.parse(String(message)),
      },
      request: options.request ?? {},
      timeoutMs,
      metadata: { id: '1', of: 'rpc' },
    };
    const run = this;
    const call: RpcCall = {
      deadline: new Deadline(deadlineMs, this.clock),
      metadata: { dbname: 'books', of: 'call' },
      connections: options.leased ? this.lease : undefined,
      retry,
      idempotent: options.idempotent ?? false,
      rerun: options.rerun,
      probes: options.probes,
      get ended() {
        return run.ended;
      },
      begin: underWay => {
        this.known.push(underWay);
        return () => {
          this.forgotten += 1;
        };
      },
      retrying: (...pause) => this.pauses.push(pause),
    };
    const route: DeliveryRoute = {
      pool: this.pool,
      circuit: options.circuit ?? new CircuitBreaker(false, this.clock),
      budget: options.budget ?? new RetryBudget(false),
      figures: this.figures,
      clock: this.clock,
      random: () => options.random ?? 0,
      hangs: () => options.hangs ?? false,
    };
    this.delivery = new Delivery(this.rpc, Buffer.from('message'), call, route);
  }

  begin(): this {
    const settled = () => {
      this.settledAfterMs = this.clock.now() - this.startedAt;
    };
    this.delivery.begin().then(
      answer => {
        this.answer = answer;
        settled();
      },
      error => {
        this.error = error;
        settled();
      },
    );
    return this;
  }

  get settled(): boolean {
    return this.settledAfterMs !== undefined;
  }

  /** The attempt on the wire ends so. */
  async end(outcome: AttemptOutcome): Promise<void> {
    this.pool.attempt.end(outcome);
    await this.clock.advanceAsync(0);
  }
}

import { type ConnectionSource, nothingToLeave, type PoolUser } from '../pool/connection-source.js';
import type { Member } from '../pool/member.js';
import type { PoolFailure } from '../pool/pool-failure.js';
import type { CircuitPass, CircuitVerdict } from '../resilience/circuit-breaker.js';
import type { Scheduled } from '../resilience/clock.js';
import { type NoRetry, SHORTEST_ATTEMPT_MS } from '../resilience/retry-schedule.js';
import type { Repeatability, Setback } from '../resilience/setback.js';
import type { Attempt, AttemptOutcome } from '../transport/attempt.js';
import type { Http2Connection } from '../transport/http2-connection.js';
import type { DeliveryRoute } from './delivery-route.js';
import { asSuccess, refusalIn } from './response-status.js';
import { type Delivered, type Rpc, type RpcCall, RpcError, type RpcUnderWay } from './rpc.js';
import { answersExists, repeatabilityOfRequest } from './rpc-catalogue.js';
import { callEnded, circuitOpen, poolError, tooLate, unreadable, wireError } from './rpc-errors.js';
import { Sequel } from './sequel.js';
import { saysExists, saysUnavailable, setbackOfFailure, setbackOfStatus } from './setback.js';
import { circuitVerdictOf, verdictOf } from './verdict.js';

/** At its deadline the call itself ends what is under way, and says why; timers are late by less than this, in ms. */
const CALL_ENDS_IT_MS = 50;

/** gRPC tells the server no shorter limit, in ms. */
const MIN_TIMEOUT_MS = 1;

/**
 * One RPC on its way: it waits for a connection, is sent, and where its nature and the fate of the attempt allow it is sent
 * again, all within its deadline. It settles once.
 */
export class Delivery implements RpcUnderWay, PoolUser<Http2Connection> {
  ticket?: number;
  /** A retry goes to another connection if there is one. */
  avoid?: Member<Http2Connection>;
  private readonly endsAt: number;
  private source: ConnectionSource<Http2Connection>;
  private resolve!: (answer: object) => void;
  private reject!: (error: RpcError) => void;
  private forget!: (outcomeUnknown: boolean) => void;
  private pass?: CircuitPass;
  private attempts: number;
  /** It is in one place at a time: in the line, on the wire, or between two attempts. */
  private leaveLine?: () => void;
  private attempt?: Attempt;
  private pause?: Scheduled;
  /** An attempt that is over may have been executed. */
  private doubtful: boolean;
  private cancelled = false;
  /** There is none as long as nothing failed. */
  private failed?: Sequel;
  /** What kept it from being sent again. */
  private noConnection?: PoolFailure;
  /** Ends it with what its last attempt came to. */
  private concede?: () => void;

  constructor(
    private readonly rpc: Rpc,
    private readonly message: Uint8Array,
    private readonly call: RpcCall,
    private readonly route: DeliveryRoute,
  ) {
    this.endsAt = Math.min(route.clock.now() + rpc.timeoutMs, call.deadline.at);
    this.source = call.connections ?? route.pool;
    this.attempts = rpc.before?.attempts ?? 0;
    this.doubtful = rpc.before?.uncertain ?? false;
  }

  /** @throws RpcError when there is no answer */
  begin(): Promise<object> {
    return new Promise((resolve, reject) => {
      if (this.call.ended) return reject(callEnded(this.rpc));
      if (!this.admitted()) return reject(circuitOpen(this.rpc, this.route.circuit.retryAfterMs));
      this.resolve = resolve;
      this.reject = reject;
      this.forget = this.call.begin(this);
      this.find();
    });
  }

  cancel(): void {
    if (this.cancelled) return;
    this.cancelled = true;
    // Its outcome follows.
    if (this.attempt) return this.attempt.cancel();
    const verdict = this.verdictOfWaiting();
    this.leaveLine?.();
    this.pause?.cancel();
    this.end(callEnded(this.rpc, this.delivered()), verdict);
  }

  unsent(): PoolFailure | undefined {
    return this.leaveLine && this.source.whyNone();
  }

  get sends(): number {
    return this.attempts;
  }

  get writes(): boolean {
    return this.rpc.method.repeatability !== 'read';
  }

  get uncertain(): boolean {
    return this.doubtful || this.attempt !== undefined;
  }

  /** @internal The pool has room for it. */
  use(member: Member<Http2Connection>): void {
    const { rpc, call, route, message } = this;
    this.leaveLine = undefined;
    const sentAt = route.clock.now();
    const timeoutMs = this.endsAt - sentAt;
    // A late timer, or a turn that came late: what was certainly not executed would become doubtful.
    if (timeoutMs < (this.concede ? SHORTEST_ATTEMPT_MS : MIN_TIMEOUT_MS)) return this.endLate();
    route.figures.sent(++this.attempts);
    if (this.attempts === 1) this.pay(sentAt);
    rpc.sentAs = call.authorization;
    const metadata = { ...call.authorization, ...call.metadata, ...rpc.metadata };
    const { path } = rpc.method;
    const graceMs = this.endsAt === call.deadline.at ? CALL_ENDS_IT_MS : 0;
    this.attempt = member.connection.send({ path, message, metadata, timeoutMs, graceMs });
    void this.attempt.outcome.then(outcome => this.ended(outcome, member, sentAt));
  }

  /** @internal The pool has none. */
  fail(failure: PoolFailure): void {
    this.leaveLine = undefined;
    if (failure.reason === 'released') {
      this.source = this.route.pool;
      this.ticket = undefined;
      return this.find();
    }
    if (!this.concede) {
      return this.end(poolError(this.rpc.method.name, failure, this.delivered()), verdictOfPool(failure));
    }
    // What it was sent for in vain says more than that there was no second time.
    this.noConnection = failure;
    this.concede();
  }

  private find(): void {
    this.leaveLine = nothingToLeave;
    const leave = this.source.acquire(this, this.timeLeftMs());
    if (this.leaveLine) this.leaveLine = leave;
  }

  private timeLeftMs(): number {
    return Math.max(0, this.endsAt - this.route.clock.now());
  }

  private ended(outcome: AttemptOutcome, member: Member<Http2Connection>, sentAt: number): void {
    this.attempt = undefined;
    const verdict = verdictOf(outcome, this.call.deadline);
    this.source.ended(member, verdict, sentAt);
    this.avoid = member;
    if (outcome.ok) return this.answered(outcome.message, sentAt);
    const setback = setbackOfFailure(outcome);
    if (setback.fate === 'unknown') this.doubtful = true;
    const tookMs = this.route.clock.now() - sentAt;
    const circuitVerdict = circuitVerdictOf(outcome, verdict, tookMs, this.route.hangs);
    this.concede = () => {
      const error = wireError(this.rpc, member.connection.authority, outcome, this.delivered());
      this.end(error, circuitVerdict, outcome.connectionDied);
    };
    if (!this.cancelled && this.sequel.elsewhere(setback, member.connection)) return this.find();
    // Only an answer tells how long the next one may take to come.
    this.retryOrConcede(setback, outcome.origin === 'server' ? tookMs : 0, outcome.message);
  }

  private answered(message: Buffer, sentAt: number): void {
    const { rpc } = this;
    const { method } = rpc;
    let answer: object;
    try {
      answer = method.deserialize(message);
    } catch (error) {
      this.doubtful = true;
      return this.end(unreadable(rpc, error as Error, this.delivered()), 'success');
    }
    const refusal = refusalIn(answer);
    if (!refusal) return this.succeed(answer);
    if (this.doubtful && answersExists(method.name) && saysExists(refusal)) {
      return this.succeed(asSuccess(answer, method));
    }
    this.concede = () => {
      rpc.delivered = this.delivered();
      this.over(saysUnavailable(refusal) ? 'failure' : 'success');
      this.resolve(answer);
    };
    const setback = setbackOfStatus(refusal, method.name, rpc.request);
    if (setback.fate === 'unknown') this.doubtful = true;
    this.retryOrConcede(setback, this.route.clock.now() - sentAt, refusal.reason ?? '');
  }

  /**
   * Prepares another attempt if there may be one.
   *
   * @param answerMs what the server took to answer the one that failed; 0 if it did not
   */
  private retryOrConcede(setback: Setback, answerMs: number, why: string): void {
    const { clock } = this.route;
    this.sequel.hope = setback.hope;
    if (this.cancelled || this.leaseIsLost) return this.concede?.();
    const now = clock.now();
    const times = { now, remainingMs: this.endsAt - now, answerMs };
    const pauseMs = this.sequel.pauseMs(setback, times, this.mayGoOn);
    if (pauseMs === undefined) return this.concede?.();
    this.call.retrying?.(this.rpc.method.name, this.attempts, pauseMs, why);
    this.pause = clock.schedule(() => {
      this.pause = undefined;
      if (!this.mayGoOn) return this.giveUp('circuit');
      // It has had its turn.
      this.ticket = undefined;
      this.find();
    }, pauseMs);
  }

  /** Into the budget for retries; but what a second run sends is one itself. */
  private pay(now: number): void {
    if (this.call.rerun) this.route.budget.repeated(now);
    else this.route.budget.called(now);
  }

  /** Its time was up before it could be sent, or sent again. */
  private endLate(): void {
    if (!this.concede) return this.end(tooLate(this.rpc, this.delivered()), 'nothing');
    this.giveUp('time');
  }

  private giveUp(why: NoRetry): void {
    this.sequel.stoppedBy = why;
    this.concede?.();
  }

  /** The circuit breaker would still let it through. */
  private get mayGoOn(): boolean {
    return this.pass === undefined || this.route.circuit.holds(this.pass);
  }

  /** Its lease has no connection any more, and there is no other for it. */
  private get leaseIsLost(): boolean {
    return this.source !== this.route.pool && !this.avoid?.connection.open;
  }

  private get sequel(): Sequel {
    this.failed ??= new Sequel(this.repeatability, this.route, this.call.retry);
    return this.failed;
  }

  private get repeatability(): Repeatability {
    const { method, request } = this.rpc;
    return this.call.idempotent ? 'read' : repeatabilityOfRequest(method, request);
  }

  private delivered(): Delivered {
    const { attempts, doubtful: uncertain, writes, noConnection } = this;
    const { hope = 'none', stoppedBy } = this.failed ?? {};
    const repeatable = this.repeatability !== 'once';
    return { attempts, uncertain, writes, repeatable, hope, stoppedBy, noConnection };
  }

  private succeed(answer: object): void {
    this.judge('success', false);
    this.forget(false);
    this.resolve(answer);
  }

  private end(error: RpcError, verdict: CircuitVerdict, connectionDied = false): void {
    this.over(verdict, connectionDied);
    this.reject(error);
  }

  private over(verdict: CircuitVerdict, connectionDied = false): void {
    const outcomeUnknown = this.doubtful && this.writes;
    if (outcomeUnknown) this.route.figures.endedUnknown();
    this.judge(verdict, connectionDied);
    this.forget(outcomeUnknown);
  }

  private admitted(): boolean {
    if (this.call.probes) return true;
    this.pass = this.route.circuit.enter();
    return this.pass !== undefined;
  }

  /** Tells the circuit breaker what this says of the server. */
  private judge(verdict: CircuitVerdict, connectionDied: boolean): void {
    const { pass, avoid, route } = this;
    if (pass !== undefined) route.circuit.leave(pass, verdict, avoid, connectionDied);
  }

  /** Of a call that ends in the line: a caller who changes his mind says nothing of the server. */
  private verdictOfWaiting(): CircuitVerdict {
    if (!this.leaveLine || this.call.deadline.remainingMs() > 0) return 'nothing';
    return verdictOfPool(this.source.whyNone());
  }
}

function verdictOfPool({ reason, confirmed }: PoolFailure): CircuitVerdict {
  return reason === 'unreachable' && confirmed ? 'failure' : 'nothing';
}

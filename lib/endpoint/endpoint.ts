import { inspect } from 'node:util';
import { describeAddress } from '../options/address.js';
import type { EndpointOptions, MilvusAddress } from '../options/resolved-options.js';
import { ConnectionPool } from '../pool/connection-pool.js';
import { backgroundClock, inBackground } from '../resilience/background.js';
import { CircuitBreaker } from '../resilience/circuit-breaker.js';
import { systemClock } from '../resilience/clock.js';
import { RetryBudget } from '../resilience/retry-budget.js';
import type { ConnectionStats, EndpointObserver, PoolState, SendStats } from '../telemetry/pool-telemetry.js';
import { AddressRing } from '../topology/address-ring.js';
import { connectToFirst } from '../topology/connect-to-first.js';
import { Http2Connection } from '../transport/http2-connection.js';
import { type EndpointFacts, reasonOf, stateOf } from './endpoint-state.js';
import { Gateway } from './gateway.js';
import { Prober, type ServerCondition } from './prober.js';
import { SendFigures } from './send-figures.js';
import { ServerQuestion, type ServerQuestions } from './server-question.js';

/** Where calls go: the addresses of one Milvus, and everything about the connections to it. Knows no client. */
export class Endpoint {
  readonly gateway: Gateway;
  readonly pool: ConnectionPool<Http2Connection>;
  readonly circuit: CircuitBreaker;
  /** For the retries of all its clients together. */
  readonly budget: RetryBudget;
  readonly figures = new SendFigures();
  private readonly addresses: AddressRing;
  private prober?: Prober;
  private question?: ServerQuestion;
  /** What the server last said of itself. */
  private server?: ServerCondition;
  private reportedState: PoolState = 'idle';
  /** Until the server was asked last, questions not among them. */
  private callsSeen = 0;

  constructor(
    private readonly options: EndpointOptions,
    private readonly observer: EndpointObserver,
  ) {
    this.addresses = new AddressRing(options.addresses);
    const connect = (signal: AbortSignal) => inBackground(() => this.connect(signal));
    const poolObserver = {
      stateChanged: () => this.review(),
      connectionOpened: observer.connectionOpened.bind(observer),
      connectionClosed: observer.connectionClosed.bind(observer),
      connectFailed: observer.connectFailed.bind(observer),
    };
    this.circuit = new CircuitBreaker(options.circuitBreaker, backgroundClock, () => {
      if (this.circuit.state !== 'closed') this.prober?.hurry();
      // It works, whatever it did not say.
      if (this.circuit.state === 'closed') this.forgetSilence();
      this.review();
    });
    this.pool = new ConnectionPool(
      options.pool,
      connect,
      poolObserver,
      backgroundClock,
      Math.random,
      this.name,
    );
    this.budget = new RetryBudget(options.retryBudget);
    this.gateway = new Gateway({
      pool: this.pool,
      circuit: this.circuit,
      budget: this.budget,
      figures: this.figures,
      clock: systemClock,
      random: Math.random,
      hangs: () => this.hangs(),
    });
  }

  /** `host:port`, all of them, for messages. */
  get name(): string {
    return this.options.addresses.map(describeAddress).join(', ');
  }

  /** What logs show: no credentials, no private key. */
  [inspect.custom](): string {
    return `Endpoint ${this.name} (${this.state})`;
  }

  get state(): PoolState {
    return stateOf(this.facts);
  }

  /** Of its connections, and of what was sent over them. */
  stats(): ConnectionStats & { readonly sends: SendStats } {
    return { ...this.pool.stats(), sends: this.figures.snapshot() };
  }

  /** Whether a call must fail at once, because the server does not work. */
  refuses(): boolean {
    const refused = this.circuit.refuses();
    if (refused) this.prober?.hurry();
    return refused;
  }

  /** Somebody asked the server how it is. */
  heard(healthy: boolean): void {
    if (healthy) this.circuit.answered();
    else this.circuit.unanswered();
  }

  /** Asks the server from time to time how it is, from its first connection on. */
  watch(questions: ServerQuestions): void {
    const { health } = this.options;
    if (health === false) return;
    const question = new ServerQuestion(this.gateway, questions);
    const endpoint = this;
    const owner = {
      get idle() {
        return endpoint.pool.state === 'idle';
      },
      get unsure() {
        return endpoint.circuit.state === 'half-open';
      },
      wanted: () => this.wasWanted(),
      learned: (condition: ServerCondition, askedAt: number) => this.learned(condition, askedAt),
    };
    this.question = question;
    this.prober = new Prober(health, ms => question.ask(ms), owner, backgroundClock, Math.random);
  }

  /** Nobody begins anything new: closes what the calls that are left can do without. */
  windDown(): void {
    this.pool.windDown();
  }

  /**
   * Lets calls in flight end. Resolves when every connection is gone.
   *
   * @param limitMs after which what is still on the wire is cut off; 0: at once
   */
  close(limitMs = Number.POSITIVE_INFINITY): Promise<void> {
    this.stopWatching();
    return limitMs > 0 ? this.pool.close(limitMs) : this.pool.destroy();
  }

  private forgetSilence(): void {
    if (this.server?.healthy === false && this.server.silent) this.server = undefined;
  }

  private hangs(): boolean {
    this.prober?.hurry();
    return this.server?.healthy === false && this.server.silent === true;
  }

  private stopWatching(): void {
    this.prober?.stop();
    this.question?.stop();
  }

  private get facts(): EndpointFacts {
    return { pool: this.pool.state, circuit: this.circuit.state, server: this.server };
  }

  private wasWanted(): boolean {
    const { totalRequests, totalFastFailures } = this.circuit.metrics();
    const calls = totalRequests + totalFastFailures;
    const wanted = calls > this.callsSeen || this.pool.stats().pending > 0;
    this.callsSeen = calls;
    return wanted;
  }

  private learned(condition: ServerCondition, askedAt: number): void {
    this.observer.probed(condition, systemClock.now() - askedAt);
    // It may be too busy to say how it is, while it works.
    if (!condition.healthy && condition.silent && this.pool.answeredSince(askedAt)) this.forgetSilence();
    else {
      this.server = condition;
      this.heard(condition.healthy);
    }
    this.review();
  }

  /** Tells of a new state, once. */
  private review(): void {
    if (this.pool.state !== 'idle') this.prober?.start();
    // Nobody asks it any more.
    else this.server = undefined;
    const from = this.reportedState;
    const to = this.state;
    if (from === to) return;
    this.reportedState = to;
    this.observer.stateChanged(from, to, reasonOf(this.facts));
  }

  private connect(signal: AbortSignal): Promise<Http2Connection> {
    const { tls, pool } = this.options;
    const connectTo = (address: MilvusAddress, stop: AbortSignal, connectTimeoutMs: number) =>
      Http2Connection.connect({ ...pool, connectTimeoutMs, address, tls }, stop);
    return connectToFirst(this.addresses.round(), connectTo, signal, pool.connectTimeoutMs);
  }
}

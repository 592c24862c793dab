import { inspect } from 'node:util';
import type { Subject } from 'rxjs';
import type { EndpointOptions } from '../options/resolved-options.js';
import { EndpointEvents, type PoolEvent } from '../telemetry/pool-events.js';
import type { CloseReason, EndpointObserver, EndpointStats, PoolState } from '../telemetry/pool-telemetry.js';
import { WaitingLog } from '../telemetry/waiting-log.js';
import type { ConnectError } from '../transport/connect-error.js';
import { Endpoint } from './endpoint.js';
import type { ServerCondition } from './prober.js';
import type { ServerQuestions } from './server-question.js';

/** A client, as far as its endpoint must know it. */
export interface EndpointUser {
  readonly name: string;
  /** In whose name the server is asked how it is. */
  readonly questions: ServerQuestions;
  /** Where its lines go. */
  readonly log: EndpointObserver;
  /** Who listens to what happens in its pool. */
  readonly events: EndpointObserver;
}

/** One client's use of an endpoint, from its begin to its end. */
export interface EndpointClaim {
  readonly endpoint: Endpoint;
  /** What keeps those that use it from starting. */
  readonly waiting: WaitingLog;
  /** All clients that use it now, the one that came first before the others. */
  readonly users: readonly string[];
  /** The client begins to drain: what nobody is going to need any more may close. */
  leave(): void;
  /**
   * It has no calls and no leases any more. Resolves when every connection is gone, if nobody else uses them.
   *
   * @param limitMs after which calls that are still on the wire are cut off
   */
  release(limitMs: number): Promise<void>;
}

/** An endpoint, and the clients that use it. What happens in it is logged once, by the client that came first. */
export class SharedEndpoint implements EndpointObserver {
  readonly endpoint: Endpoint;
  private readonly waiting = new WaitingLog();
  private readonly users = new Set<EndpointUser>();
  private readonly leaving = new Set<EndpointUser>();
  /** Of the users; made when somebody asks. */
  private names?: readonly string[];
  /** Whoever is refused lets the next one ask. */
  private asking = 0;

  constructor(
    options: EndpointOptions,
    /** Is told everything once, in the name of the client that speaks for it. */
    private readonly everybody: Subject<PoolEvent>,
    /** Every client has begun to leave: it must not get another one. */
    private readonly onDeserted: () => void,
    private readonly onGone: () => void,
  ) {
    this.endpoint = new Endpoint(options, this);
  }

  claim(user: EndpointUser): EndpointClaim {
    const first = this.users.size === 0;
    this.users.add(user);
    this.names = undefined;
    if (first) this.watch(user.questions);
    const shared = this;
    return {
      endpoint: this.endpoint,
      waiting: this.waiting,
      get users() {
        return shared.clients;
      },
      leave: () => this.leave(user),
      release: limitMs => this.release(user, limitMs),
    };
  }

  /** What logs show: no credentials, no private key. */
  [inspect.custom](): string {
    return `${this.endpoint.name} (${this.endpoint.state}, clients: ${this.users.size})`;
  }

  stats(): EndpointStats {
    const { endpoint } = this;
    return Object.freeze({
      address: endpoint.name,
      state: endpoint.state,
      circuit: endpoint.circuit.state,
      clients: this.clients,
      ...endpoint.stats(),
    });
  }

  stateChanged(from: PoolState, to: PoolState, reason?: string): void {
    this.tell(observer => observer.stateChanged(from, to, reason));
  }

  connectionOpened(address: string, tookMs: number): void {
    this.tell(observer => observer.connectionOpened(address, tookMs));
  }

  connectionClosed(address: string, reason: CloseReason, detail: string): void {
    this.tell(observer => observer.connectionClosed(address, reason, detail));
  }

  connectFailed(error: ConnectError): void {
    this.tell(observer => observer.connectFailed(error));
  }

  probed(condition: ServerCondition, tookMs: number): void {
    this.tell(observer => observer.probed(condition, tookMs));
  }

  private tell(what: (observer: EndpointObserver) => void): void {
    const { speaker } = this;
    if (speaker) {
      what(speaker.log);
      what(new EndpointEvents(speaker.name, this.everybody));
    }
    for (const { events } of this.users) what(events);
  }

  /** The client that came first, and is about to stay. */
  private get speaker(): EndpointUser | undefined {
    for (const user of this.users) if (!this.leaving.has(user)) return user;
    return [...this.users][0];
  }

  private watch({ checkHealth, getVersion }: ServerQuestions): void {
    const asker = () => [...this.users][this.asking % this.users.size];
    this.endpoint.watch({
      checkHealth,
      getVersion,
      metadata: () => asker()?.questions.metadata() ?? {},
      refused: () => this.asking++,
    });
  }

  private leave(user: EndpointUser): void {
    this.leaving.add(user);
    if (this.leaving.size < this.users.size) return;
    this.onDeserted();
    this.endpoint.windDown();
  }

  private async release(user: EndpointUser, limitMs: number): Promise<void> {
    if (!this.users.has(user)) return;
    this.leave(user);
    if (this.users.size === 1) {
      await this.endpoint.close(limitMs);
      this.onGone();
    }
    this.users.delete(user);
    this.waiting.over(user.name);
    this.leaving.delete(user);
    this.names = undefined;
  }

  private get clients(): readonly string[] {
    this.names ??= Object.freeze([...this.users].map(({ name }) => name));
    return this.names;
  }
}

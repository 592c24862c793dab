import { MilvusClosedError, type PooledMilvusClient } from '../../../lib/index.js';
import { pause, times } from '../../support/pooled-client.js';
import { answer, delay, type StubCall, type StubServer } from '../../support/stub-server.js';

/** Calls without a pause by many callers; each call has a name of its own, which the server reads. */
export class Load {
  succeeded = 0;
  readonly failures: unknown[] = [];
  private readonly callers: Promise<unknown>[];
  private stopped = false;
  private made = 0;

  constructor(
    private readonly client: Pick<PooledMilvusClient, 'getLoadState'>,
    callers: number,
  ) {
    this.callers = times(callers, () => this.run());
  }

  /** Names of all calls made. */
  get names(): string[] {
    return Array.from({ length: this.made }, (_, index) => `call${index + 1}`);
  }

  /** No more calls. Resolves when the last one has ended. */
  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.callers);
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      this.made++;
      try {
        await this.client.getLoadState({ collection_name: `call${this.made}` });
        this.succeeded++;
      } catch (error) {
        this.failures.push(error);
        // A test that has failed closes its client, which then refuses every call at once.
        if (error instanceof MilvusClosedError) return;
        await pause(5);
      }
    }
  }
}

/** What the server did for a {@link Load}. */
export class Executed {
  readonly connections = new Set<number>();
  private readonly times = new Map<string, number>();

  /**
   * @param tookMs server time of each call
   * @param drops whether the server forgets this call instead, when its time has come
   */
  constructor(stub: StubServer, tookMs = 2, drops: (call: StubCall) => boolean = () => false) {
    const execute = (call: StubCall) => {
      if (drops(call)) return;
      const name = String(call.request['collection_name']);
      this.times.set(name, (this.times.get(name) ?? 0) + 1);
      this.connections.add(call.connectionId);
      answer()(call);
    };
    stub.always('GetLoadState', delay(tookMs, execute));
  }

  get count(): number {
    return this.times.size;
  }

  /** Calls that were executed never, or more than once. */
  notOnce(names: string[]): string[] {
    return names.filter(name => this.times.get(name) !== 1);
  }
}

/** Connections over which calls of this collection arrived. */
export function connectionsOf(stub: StubServer, collection: string): number[] {
  const calls = stub.calls('GetLoadState').filter(call => call.request['collection_name'] === collection);
  return [...new Set(calls.map(({ connectionId }) => connectionId))];
}

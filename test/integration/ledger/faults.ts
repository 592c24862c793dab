import type { FaultProxy } from '../../support/fault-proxy.js';
import { pause } from '../../support/pooled-client.js';
import type { Batch } from './ledger.js';
import type { Server, ServerKind } from './servers.js';
import type { StoredRows } from './stored-rows.js';
import { WRITERS, type Writers } from './writers.js';

const STALL_MS = 3_000;
const CUT_PATIENCE_MS = 60_000;

/** What happens to the server and to the way there, while the writers go on. */
export class Faults {
  /** How long the writers had the server before each kill. */
  readonly killedAfterMs: number[] = [];
  /** Batches that the server had executed when their connection died, before the answer. */
  readonly cut: Batch[] = [];

  constructor(
    private readonly kind: ServerKind,
    private readonly server: Server,
    private readonly proxy: FaultProxy,
    private readonly writers: Writers,
    private readonly stored: StoredRows,
  ) {}

  /** The connections die when the server has executed what every writer waits for. */
  async cutAnswers(): Promise<void> {
    const { proxy, writers } = this;
    await writers.everyoneSucceeds();
    proxy.pause('toClient');
    try {
      this.cut.push(...(await this.executed()));
      const cuts = this.cut.length / WRITERS;
      if (cuts % 2 === 1) proxy.reset();
      else proxy.cut();
    } finally {
      proxy.resume();
    }
  }

  async kill(): Promise<void> {
    const { kind, server, proxy, writers } = this;
    await writers.everyoneSucceeds();
    const afterMs = Math.round(300 + 900 * Math.random());
    this.killedAfterMs.push(afterMs);
    await pause(afterMs);
    // The writers come back while the server is half there, if it bears that.
    if (!kind.concurrent) proxy.refuse();
    await server.kill();
    await server.restart();
    await this.stored.load();
    await proxy.accept();
  }

  /** The server stands still, and its connections stay. */
  async stall(): Promise<void> {
    await this.writers.everyoneSucceeds();
    const pid = this.server.pid!;
    process.kill(pid, 'SIGSTOP');
    try {
      await pause(STALL_MS);
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  }

  /** What the writers wait for, when all of it is executed. */
  private async executed(): Promise<Batch[]> {
    const limit = performance.now() + CUT_PATIENCE_MS;
    while (performance.now() < limit) {
      await this.writers.everyoneWaits();
      const batches = this.writers.ledger.waiting;
      const numbers = batches.flatMap(batch => batch.numbers);
      if ((await this.stored.has(numbers)) && batches.every(({ fate }) => fate === undefined)) return batches;
      await pause(5);
    }
    throw new Error(`the server did not execute within ${CUT_PATIENCE_MS} ms what was sent to it`);
  }
}

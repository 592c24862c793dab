import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { FaultProxy } from '../../support/fault-proxy.js';
import { Faults } from './faults.js';
import { type Balance, type Fate, listed } from './ledger.js';
import type { Server, ServerKind } from './servers.js';
import { StoredRows } from './stored-rows.js';
import { Writers } from './writers.js';

export interface AuditPlan {
  kind: ServerKind;
  server: Server;
  /** The client of the writers. */
  connect(address: string): Promise<MilvusClient>;
  /** What an error says of the rows. */
  fateOf(error: unknown): Fate;
  faults(faults: Faults): Promise<void>;
}

export interface Audit extends Balance {
  errors: unknown[];
  /** What was reported of the batches that were executed, and whose connection then died. */
  fatesOfCut: (Fate | undefined)[];
  /** For a person. */
  summary: string;
}

/** Lets four writers write through faults, and compares what they were told with what is stored. */
export async function audit({ kind, server, connect, fateOf, faults }: AuditPlan): Promise<Audit> {
  const stored = new StoredRows(server.address, kind.collections);
  await stored.createCollections();
  const proxy = await FaultProxy.start({ target: server.address });
  try {
    const client = await connect(proxy.address);
    const writers = new Writers(client, kind.collections, fateOf);
    const happened = new Faults(kind, server, proxy, writers, stored);
    try {
      await faults(happened);
      await writers.everyoneSucceeds();
    } finally {
      await writers.stop();
    }
    const balance = writers.ledger.balance(await stored.count(writers.ledger.end));
    return {
      ...balance,
      errors: writers.errors,
      fatesOfCut: happened.cut.map(({ fate }) => fate),
      summary: summaryOf(balance, happened),
    };
  } finally {
    await proxy.stop();
  }
}

function summaryOf(balance: Balance, { cut, killedAfterMs }: Faults): string {
  const { acknowledged, failed, unknown, unknownStored, lost, doubled, ghosts } = balance;
  return [
    `rows: acknowledged ${acknowledged}, failed ${failed}, unknown ${unknown} (stored: ${unknownStored})`,
    `lost ${listed(lost)}, doubled ${listed(doubled)}, ghosts ${listed(ghosts)}`,
    `answers cut of ${cut.length} batches, killed after ${killedAfterMs.join(', ') || '–'} ms of writing`,
  ].join('\n');
}

import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { closeClients } from '../../support/pooled-client.js';
import { audit } from './audit.js';
import { type Fate, Ledger } from './ledger.js';
import { milvusLite } from './servers.js';
import { ROWS_OF_A_BATCH } from './writers.js';

afterEach(() => closeClients());

describe('the ledger', () => {
  it('finds rows that are lost, doubled, or stored and reported failed', () => {
    const ledger = new Ledger();
    const fates: Fate[] = ['acknowledged', 'failed', 'unknown', 'acknowledged', 'unknown'];
    for (const fate of fates) ledger.open(1).fate = fate;
    const stored = new Map([
      [1, 1],
      [2, 2],
      [3, 1],
    ]);
    expect(ledger.balance(stored)).toEqual({
      acknowledged: 2,
      failed: 1,
      unknown: 2,
      unknownStored: 1,
      lost: [0],
      doubled: [2],
      ghosts: [1],
    });
  });

  it('finds rows that the plain SDK has sent twice', async () => {
    const server = await milvusLite.start();
    let plain: MilvusClient | undefined;
    try {
      const { doubled, fatesOfCut } = await audit({
        kind: milvusLite,
        server,
        connect: async address => {
          plain = new MilvusClient({ address, logLevel: 'error' });
          await plain.connectPromise;
          return plain;
        },
        fateOf: () => 'unknown',
        faults: async faults => {
          for (let cut = 0; cut < 3; cut++) await faults.cutAnswers();
          await faults.kill();
        },
      });
      expect(doubled.length).toBeGreaterThanOrEqual(ROWS_OF_A_BATCH);
      expect(fatesOfCut).toContain('acknowledged');
    } finally {
      // It has no limit of its own.
      await Promise.race([plain?.closeConnection(), delay(2_000, undefined, { ref: false })]);
      await closeClients();
      await server.stop();
    }
  });
});

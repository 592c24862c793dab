import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { MilvusError } from '../../../lib/index.js';
import { closeClients, pooledClient } from '../../support/pooled-client.js';
import { type Audit, audit } from './audit.js';
import type { Faults } from './faults.js';
import type { Fate } from './ledger.js';
import { fullMilvus, milvusLite, type Server } from './servers.js';

/** How often each server is killed; `npm run soak:ledger` takes longer. */
const KILLS = Number(process.env['LEDGER_KILLS'] ?? 5);
const FULL_KILLS = Number(process.env['LEDGER_FULL_KILLS'] ?? 1);
const SOAK = Boolean(process.env['LEDGER_KILLS'] ?? process.env['LEDGER_FULL_KILLS']);

// A rejection that nobody handles fails the test, by Jest.
afterEach(closeClients);

/** What an error of ours says. */
function fateOf(error: unknown): Fate {
  return error instanceof MilvusError && !error.outcomeUnknown ? 'failed' : 'unknown';
}

function killedTimes(kills: number) {
  return async (faults: Faults) => {
    await faults.cutAnswers();
    await faults.stall();
    for (let kill = 0; kill < kills; kill++) {
      await faults.cutAnswers();
      await faults.kill();
    }
  };
}

function expectBalanced({ lost, doubled, ghosts, summary, errors, fatesOfCut }: Audit): void {
  if (lost.length + doubled.length + ghosts.length > 0) throw new Error(summary);
  if (SOAK) process.stderr.write(`${summary}\n`);
  expect(errors.filter(error => !(error instanceof MilvusError))).toEqual([]);
  // The server had executed them, and nobody could tell.
  expect(new Set(fatesOfCut)).toEqual(new Set(['unknown']));
}

describe.each([
  { kind: milvusLite, kills: KILLS },
  { kind: fullMilvus, kills: FULL_KILLS },
])('$kind.name, killed and started again while four write', ({ kind, kills }) => {
  let server: Server;

  beforeAll(async () => {
    server = await kind.start();
  }, 300_000);

  afterAll(() => server?.stop());

  it(
    'has each acknowledged row once, no row twice, and none that was reported failed',
    async () => {
      const options = {
        // Shorter than a restart, so that some are reported failed.
        pool: { acquireTimeoutMs: 500 },
        // Shorter than the stall, so that it passes on the wire; but then the next insert may come beside the last.
        ...(kind.concurrent && { timeouts: { writeMs: 2_500 } }),
      };
      const outcome = await audit({
        kind,
        server,
        connect: async address => pooledClient(address, options),
        fateOf,
        faults: killedTimes(kills),
      });
      expectBalanced(outcome);
    },
    120_000 + kills * 30_000,
  );
});

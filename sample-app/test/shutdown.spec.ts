import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../lib/testing/free-port.js';
import { MilvusLite } from '../../lib/testing/index.js';
import { FaultProxy } from '../../test/support/fault-proxy.js';
import { BuiltSample } from './built-sample.js';
import { checkShutdown } from './shutdown-check.mjs';

describe('the sample app as a process', () => {
  let sample: BuiltSample;
  let milvus: MilvusLite;
  let proxy: FaultProxy;

  beforeAll(async () => {
    [sample, milvus] = await Promise.all([BuiltSample.build(), MilvusLite.start()]);
    proxy = await FaultProxy.start({ target: milvus.address });
  }, 300_000);

  afterAll(async () => {
    await proxy?.stop();
    await milvus?.stop();
    await sample?.remove();
  });

  it('answers every request it accepted when SIGTERM comes under load, twice, turns readiness down first and exits with 0', async () => {
    const port = await freePort();

    const report = await checkShutdown({
      cwd: sample.folder,
      command: [process.execPath, sample.main],
      baseUrl: `http://localhost:${port}`,
      env: {
        PORT: String(port),
        MILVUS_ADDRESS: proxy.address,
        // Longer than a machine may stall, so that it serves something after it has said that it is not ready.
        READINESS_GRACE_MS: '3000',
        CORPUS_LIMIT: '200',
      },
      prepare: [{ method: 'POST', path: '/ingest' }],
      // Few enough that Milvus Lite keeps within the sample's deadlines on a machine that does other things too.
      clients: 4,
      requests: [
        '/search?q=graceful+shutdown&mode=vector',
        '/search?q=health+check&mode=text',
        '/health/live',
      ],
    });

    expect(report.faults).toEqual([]);
    expect(proxy.connectionsEver).toBeGreaterThanOrEqual(2);
    await proxy.waitFor(({ connectionsOpen }) => connectionsOpen === 0);
  }, 180_000);
});

// The sample app as it stands in the repository, compiled against each application's Nest and SDK, under its own
// shutdown check (sample-app/test/shutdown-check.mjs).
import assert from 'node:assert/strict';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { deadAddress, Tap } from './tap.mjs';

const QUERIES = ['text', 'vector', 'hybrid'].map(mode => `/search?q=connection+pool&mode=${mode}`);

/** Its sources in the application's folder, as an ES module whatever the application is. */
export async function compileSampleApp(app, root) {
  const folder = join(app.folder, 'sample-app');
  await mkdir(folder);
  await cp(join(root, 'sample-app', 'src'), join(folder, 'src'), { recursive: true });
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await app.check('tsc of the sample app', () => app.tsc('tsconfig.sample-app.json'));
}

export async function checkSampleApp(app, root, milvusPort) {
  await app.check('sample app: SIGTERM under load', async () => {
    const script = join(root, 'sample-app', 'test', 'shutdown-check.mjs');
    const { checkShutdown } = await import(pathToFileURL(script).href);
    const tap = await Tap.to(milvusPort);
    try {
      const port = (await deadAddress()).split(':')[1];
      const report = await checkShutdown({
        cwd: app.folder,
        command: [process.execPath, 'sample-app/dist/main.js'],
        baseUrl: `http://localhost:${port}`,
        env: { PORT: port, MILVUS_ADDRESS: tap.address, CORPUS_LIMIT: '200', NO_COLOR: '1' },
        prepare: [{ method: 'POST', path: '/ingest' }],
        requests: QUERIES,
      });
      const output = report.output.slice(-2_000);
      assert.deepEqual(report.faults, [], `${report.faults.join('\n')}\nThe end of its output:\n${output}`);
      assert(tap.accepted > 0, 'it never connected to Milvus through the relay');
      await tap.empties(1_000);
    } finally {
      tap.close();
    }
  });
}

import { MilvusStandalone } from '../test/support/milvus-standalone.js';
import { short } from './arguments.js';
import { CannedServer, type CannedServerOptions } from './canned-server.js';
import { createCollection } from './milvus-collection.js';

/** Small enough to be stored in seconds, large enough for an index. */
const ROWS = short ? 200 : 5_000;

export interface Server {
  name: string;
  address: string;
  /** How long it lets each call wait on purpose. */
  delayMs: number;
}

/** @returns what these servers are */
export async function onEachCannedServer(
  servers: CannedServerOptions[],
  measure: (server: Server) => Promise<void>,
): Promise<string> {
  let description = '';
  for (const options of servers) {
    const server = await CannedServer.start(options);
    const { delayMs, window } = options;
    const name = window ? `${delayMs} ms, window ${window / 1024} KB` : `${delayMs} ms`;
    await measure({ name, address: server.address, delayMs });
    server.stop();
    description = server.description;
  }
  return `Servers with a time: ${description}.`;
}

/** @returns what it is */
export async function onMilvus(measure: (server: Server) => Promise<void>): Promise<string> {
  try {
    await MilvusStandalone.install();
  } catch (error) {
    return `No full Milvus: ${(error as Error).message}`;
  }
  await using milvus = await MilvusStandalone.start();
  await createCollection(milvus.address, ROWS);
  await measure({ name: 'Milvus', address: milvus.address, delayMs: 0 });
  return `"Milvus": a full 2.3.5, ${ROWS} vectors in an HNSW index.`;
}

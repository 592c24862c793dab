import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { type MilvusClientOptions, MilvusRegistry } from '../../../lib/index.js';
import { times } from '../../support/pooled-client.js';
import { connectionsEver, socketsAtServer } from '../../support/sockets-at-server.js';
import { NoteDatabases, Writer } from './notes.js';

/** What `MilvusLite` and `MilvusStandalone` have in common. */
interface Server {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

const DATABASES = 50;
const CLIENTS = 1_000;
const REQUESTS = 200;
const MAX_CONNECTIONS = 4;
/** More than a busy machine takes for all that is asked at once. */
const PATIENCE_MS = 100_000;

/** Tests of many tenants, each with a database, over the connections of one endpoint. */
export function itKeepsTenantsApart(start: () => Promise<Server>): void {
  const names = Array.from({ length: DATABASES }, (_, number) => `tenant_${number}`);
  const databaseOf = (client: number) => names[client % DATABASES]!;
  let server: Server;
  let plain: MilvusClient;
  let databases: NoteDatabases;
  let registry: MilvusRegistry;
  let connectionsBefore: number;
  let turns = 0;
  const isOfThisTurn = (note: string) => note.includes(`/${turns}/`);

  beforeAll(async () => {
    server = await start();
    plain = new MilvusClient({ address: server.address, logLevel: 'error' });
    await plain.connectPromise;
    // Milvus's own has the collection too, and nobody chooses it.
    databases = new NoteDatabases(plain, [...names, 'default']);
    await databases.create();
  }, 900_000);

  beforeEach(() => {
    registry = new MilvusRegistry();
    connectionsBefore = connectionsEver();
    // Other notes each time, so that a test can be run again.
    turns++;
  });

  afterEach(async () => {
    const { clients } = await registry.close();
    expect(new Set(clients.map(({ outcome }) => outcome))).toEqual(new Set(['clean']));
    expect(await socketsAtServer(server.port)).toEqual([]);
  });

  afterAll(async () => {
    await plain?.closeConnection();
    await server?.stop();
  });

  const options = (database?: string): MilvusClientOptions => ({
    address: server.address,
    database,
    pool: { maxConnections: MAX_CONNECTIONS, acquireTimeoutMs: PATIENCE_MS, maxPending: 4 * CLIENTS },
    timeouts: { readMs: PATIENCE_MS, writeMs: PATIENCE_MS },
    startup: { mode: 'lazy' },
  });

  /** All at once; whatever the order, each row is where it belongs, and nowhere else. */
  async function expectApart(writers: Writer[]): Promise<void> {
    await Promise.all(writers.map(writer => writer.write()));
    const read = await Promise.all(writers.map(writer => writer.read()));
    expect(read).toEqual(writers.map(({ notes }) => notes));

    const stored = await databases.read();
    for (const name of databases.names) {
      const own = writers.filter(({ database }) => database === name).flatMap(({ notes }) => notes);
      expect(stored.get(name)?.filter(isOfThisTurn)).toEqual(own.sort());
    }

    const { endpoints } = registry.stats();
    expect(endpoints.map(({ address }) => address)).toEqual([server.address]);
    expect(connectionsEver() - connectionsBefore).toBeLessThanOrEqual(MAX_CONNECTIONS);
    // Elsewhere the kernel does not tell.
    if (process.platform === 'linux') {
      expect(await socketsAtServer(server.port)).toHaveLength(endpoints[0]!.connections.size);
    }
  }

  it(`with ${CLIENTS} clients in ${DATABASES} databases`, async () => {
    const clients = await Promise.all(
      times(CLIENTS, client => registry.add(`client_${client}`, options(databaseOf(client)))),
    );
    await expectApart(
      clients.map(
        (client, number) => new Writer(databaseOf(number), `${turns}/${client.name}`, () => client),
      ),
    );
    expect(registry.stats().endpoints[0]!.clients).toHaveLength(CLIENTS);
  });

  it(`with one client and a database for each of ${REQUESTS} requests`, async () => {
    const shared = await registry.add('shared', options());
    await expectApart(
      Array.from({ length: REQUESTS }, (_, request) => {
        const database = databaseOf(request);
        return new Writer(database, `${turns}/request_${request}`, () => shared.with({ database }));
      }),
    );
  });
}

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { ConsistencyLevelEnum, DataType } from '@zilliz/milvus2-sdk-node';
import {
  MilvusAuthenticationError,
  type MilvusCredentials,
  MilvusRegistry,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import {
  closeClients,
  eventually,
  eventuallyResolves,
  failureOf,
  pooledClient,
  times,
} from '../../support/pooled-client.js';
import { connectionsEver, socketsAtServer } from '../../support/sockets-at-server.js';

const CALLERS = 20;
const CHANGES = 3;
/** Milvus's refusals make a client ask for credentials once in this time, in ms. */
const COOLDOWN_MS = 1_000;
const collection_name = 'notes';
const metric_type = 'L2';

let milvus: MilvusStandalone;
let admin: PooledMilvusClient;

beforeAll(async () => {
  await MilvusStandalone.install();
  milvus = await MilvusStandalone.start({ auth: true });
  admin = pooledClient(milvus.address, { name: 'admin', username: 'root', password: 'Milvus' });
  await admin.createCollection({
    collection_name,
    fields: [
      // The server makes the keys: of rows with equal keys it would show one.
      { name: 'id', data_type: DataType.Int64, is_primary_key: true, autoID: true },
      { name: 'note', data_type: DataType.VarChar, max_length: 64 },
      { name: 'vector', data_type: DataType.FloatVector, dim: 2 },
    ],
    index_params: [{ field_name: 'vector', index_type: 'FLAT', metric_type }],
  });
  await admin.loadCollection({ collection_name });
}, 900_000);

afterAll(async () => {
  await closeClients();
  await milvus?.stop();
});

/** A user of Milvus, and where the application keeps its password. */
class Account {
  private static made = 0;
  private changes = 0;
  readonly username = `ada_${++Account.made}`;
  /** That Milvus knows. */
  private password = 'the-first-one';
  /** That the application has. */
  private stored = this.password;
  asked = 0;

  async create(): Promise<void> {
    const { username, password } = this;
    await admin.createUser({ username, password });
    await admin.addUserToRole({ username, roleName: 'admin' });
  }

  /** As a store of secrets gives them: not at once. */
  readonly credentials = async (): Promise<MilvusCredentials> => {
    this.asked++;
    await sleep(10);
    return { username: this.username, password: this.stored };
  };

  nextPassword(): string {
    this.changes++;
    return `the-second-one-${this.changes}`;
  }

  store(password: string): void {
    this.stored = password;
  }

  async changeAtMilvus(newPassword: string): Promise<void> {
    const { username, password: oldPassword } = this;
    await admin.updateUser({ username, oldPassword, newPassword });
    this.password = newPassword;
  }
}

describe('a client whose password is changed', () => {
  let account: Account;
  let registry: MilvusRegistry;
  let client: PooledMilvusClient;
  let connectionsBefore: number;

  beforeEach(async () => {
    account = new Account();
    await account.create();
    registry = new MilvusRegistry();
    client = await registry.add('app', {
      address: milvus.address,
      credentials: account.credentials,
      pool: { minConnections: 2, maxConnections: 2, acquireTimeoutMs: 60_000 },
      timeouts: { readMs: 60_000 },
    });
    await eventually(() => client.pool.stats().connections.size === 2);
    connectionsBefore = connectionsEver();
  });

  afterEach(async () => {
    await registry.close();
  });

  it('loses no call and stores every row once', async () => {
    const connected = await socketsAtServer(milvus.port);
    const written: string[] = [];
    let over = false;
    const callers = Promise.all(
      times(CALLERS, async caller => {
        for (let round = 0; !over; round++) {
          const note = `${account.username}/${caller}/${round}`;
          await client.insert({ collection_name, data: [{ note, vector: [1, 1] }] });
          written.push(note);
          if (caller % 2 === 0)
            await client.search({ collection_name, data: [1, 1], metric_type, limit: 10 });
          else await client.query({ collection_name, filter: 'note != ""', limit: 10 });
        }
      }),
    );
    const changes = async () => {
      for (let change = 1; change <= CHANGES; change++) {
        await eventually(() => written.length > change * 5 * CALLERS);
        const password = account.nextPassword();
        account.store(password);
        await account.changeAtMilvus(password);
        await eventually(() => account.asked === 1 + change);
        // Sooner it would not ask again.
        await sleep(COOLDOWN_MS + 100);
      }
    };
    try {
      await Promise.race([changes(), callers]);
    } finally {
      over = true;
    }
    await callers;

    // Once to begin with, then once for each change, however many calls were refused.
    expect(account.asked).toBe(1 + CHANGES);
    expect(connectionsEver()).toBe(connectionsBefore);
    expect((await socketsAtServer(milvus.port)).sort()).toEqual(connected.sort());
    expect(client.pool.stats()).toMatchObject({ connections: { size: 2 } });
    expect(client.pool.circuit.state).toBe('closed');
    const { data } = await admin.query({
      collection_name,
      filter: `note like "${account.username}/%"`,
      output_fields: ['note'],
      limit: 16_384,
      consistency_level: ConsistencyLevelEnum.Strong,
    });
    expect(data.map(({ note }) => note).sort()).toEqual(written.sort());
  });

  it('is refused as long as the application does not know it, and asks once a second', async () => {
    const startedAt = performance.now();
    const password = account.nextPassword();
    await account.changeAtMilvus(password);
    const count = () => client.query({ collection_name, output_fields: ['count(*)'] });

    const errors = await Promise.all(times(CALLERS, () => failureOf(count())));
    errors.push(await failureOf(count()));
    expect(new Set(errors.map(error => error.constructor))).toEqual(new Set([MilvusAuthenticationError]));
    expect(errors[0]!.message).toMatch(/app.*Milvus refused the credentials/);
    expect(account.asked).toBeLessThanOrEqual(2 + (performance.now() - startedAt) / COOLDOWN_MS);

    account.store(password);
    await eventuallyResolves(count);
    expect(connectionsEver()).toBe(connectionsBefore);
    expect(client.pool.circuit.state).toBe('closed');
  });

  it('has it before Milvus refuses a call, when the application says so', async () => {
    const password = account.nextPassword();
    account.store(password);
    await account.changeAtMilvus(password);
    await registry.refreshCredentials('app');
    await client.query({ collection_name, output_fields: ['count(*)'] });

    expect(account.asked).toBe(2);
  });
});

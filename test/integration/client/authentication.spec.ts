import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { RbacObjects, type ResStatus } from '@zilliz/milvus2-sdk-node';
import {
  MilvusAuthenticationError,
  type MilvusClientOptions,
  type MilvusError,
  MilvusServerError,
  MilvusUnavailableError,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import { MilvusStandalone } from '../../support/milvus-standalone.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { type Booted, boot, closeBooted, expectNoSecret, itReports, ROOT, WRONG } from './reported-faults.js';

/** In plain text, for users only. */
let milvus: MilvusStandalone;
let admin: PooledMilvusClient;

beforeAll(async () => {
  await MilvusStandalone.install();
  milvus = await MilvusStandalone.start({ auth: true });
  admin = pooledClient(milvus.address, { name: 'admin', ...ROOT });
}, 900_000);

afterEach(closeBooted);

afterAll(async () => {
  await closeClients();
  await milvus?.stop();
});

async function succeeds(answer: Promise<ResStatus>): Promise<void> {
  expect(await answer).toMatchObject({ error_code: 'Success' });
}

const setPassword = (username: string, oldPassword: string, newPassword: string) =>
  succeeds(admin.updateUser({ username, oldPassword, newPassword }));

const refused = { error: MilvusAuthenticationError, says: /Milvus refused the credentials/ };
const checkCredentials = { ...refused, remedy: /Check `username` and `password`, or `token`/ };

describe('an application with a real Milvus that wants credentials', () => {
  itReports({
    'a wrong password': {
      ...checkCredentials,
      options: () => ({ address: milvus.address, username: 'root', password: WRONG }),
    },
    'a wrong password in the address': {
      ...checkCredentials,
      options: () => ({ address: `http://root:${WRONG}@${milvus.address}/default` }),
    },
    'an empty password': {
      ...checkCredentials,
      options: () => ({ address: milvus.address, username: 'root', password: '' }),
    },
    'an unknown user': {
      ...checkCredentials,
      options: () => ({ address: milvus.address, username: 'none', password: WRONG }),
    },
    'a token with a wrong password': {
      ...checkCredentials,
      options: () => ({ address: milvus.address, token: `root:${WRONG}` }),
    },
    'an unknown token': {
      ...checkCredentials,
      options: () => ({ address: milvus.address, token: `${WRONG}-key` }),
    },
    'no credentials': { ...refused, remedy: /`token`/, options: () => ({ address: milvus.address }) },
    'TLS to a plain port': {
      error: MilvusUnavailableError,
      says: /does not speak TLS/,
      remedy: /http:\/\/ or leave `tls` out/,
      options: () => ({ address: `https://root:${WRONG}@${milvus.address}` }),
    },
  });
});

describe('a client of a real Milvus', () => {
  const awkward = { username: 'ada', password: 'p:ä@s/s w%rd' };
  const inUrl = `${awkward.username}:${encodeURIComponent(awkward.password)}`;

  beforeAll(async () => {
    await succeeds(admin.createUser(awkward));
  });

  it.each<[what: string, options: () => MilvusClientOptions]>([
    ['user and password', () => ({ address: milvus.address, ...ROOT })],
    ['user:password as token', () => ({ address: milvus.address, token: 'root:Milvus' })],
    ['an awkward password', () => ({ address: milvus.address, ...awkward })],
    ['an awkward password in the address', () => ({ address: `http://${inUrl}@${milvus.address}/default` })],
    [
      'an awkward password as token',
      () => ({ address: milvus.address, token: Object.values(awkward).join(':') }),
    ],
  ])('starts and calls with %s', async (_what, options) => {
    const { client, health } = await boot(options());

    expect(await client.showCollections()).toMatchObject({ status: { error_code: 'Success' } });
    expect(await client.isAvailable()).toBe(true);
    expect(await health()).toMatchObject({ status: 'up' });
  });
});

/**
 * Asks until Milvus's proxy has heard of the change: of 50 calls right after the answer that a user is deleted, one is still
 * let in.
 */
async function until<T>(holds: () => Promise<T | undefined>): Promise<T> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const found = await holds();
    if (found !== undefined) return found;
    if (performance.now() > endMs) throw new Error(`not so within 20 s: ${holds}`);
  }
}

describe('a user that changes while the application runs', () => {
  let users = 0;
  /** Another one each time, so that a test can be run again. */
  const user = (name: string) => {
    users += 1;
    return { username: `${name}_${users}`, password: 'the-first-one' };
  };
  const call = (client: PooledMilvusClient) => client.showCollections();
  const refusal = (client: PooledMilvusClient) =>
    until(() =>
      call(client).then(
        () => undefined,
        (error: MilvusError) => error,
      ),
    );
  const admission = (client: PooledMilvusClient) =>
    until(() =>
      call(client).catch(error => {
        if (!(error instanceof MilvusAuthenticationError)) throw error;
        return undefined;
      }),
    );

  /** Every way to ask says the same, and the connections are not blamed. */
  async function expectRefused(options: MilvusClientOptions, { client, health, log }: Booted): Promise<void> {
    const error = await refusal(client);
    expect(error.constructor).toBe(MilvusAuthenticationError);
    expect(error).toMatchObject({ client: 'secure', method: 'showCollections', grpcCode: 16 });
    expect(error.message).toContain(milvus.address);
    expect(error.message).toMatch(checkCredentials.remedy);
    await expect(client.ping()).rejects.toBeInstanceOf(MilvusAuthenticationError);
    expect(await client.isAvailable()).toBe(false);
    const told = await health();
    expect(told).toMatchObject({
      status: 'down',
      state: 'ready',
      reason: expect.stringMatching(refused.says),
    });
    expectNoSecret(options, [error, told, log.lines]);
  }

  async function expectLetIn({ client, health }: Booted): Promise<void> {
    await admission(client);
    expect(await client.isAvailable()).toBe(true);
    expect(await health()).toMatchObject({ status: 'up' });
  }

  it('is refused with the old password, until it is the password again', async () => {
    const eve = user('eve');
    await succeeds(admin.createUser(eve));
    const options = { address: milvus.address, ...eve };
    const running = await boot(options);
    await call(running.client);

    await setPassword(eve.username, eve.password, 'the-second-one');
    await expectRefused(options, running);
    await expectLetIn(await boot({ ...options, password: 'the-second-one' }));

    await setPassword(eve.username, 'the-second-one', eve.password);
    await expectLetIn(running);
  });

  it('is refused when it is deleted', async () => {
    const mallory = user('mallory');
    await succeeds(admin.createUser(mallory));
    const options = { address: milvus.address, ...mallory };
    const running = await boot(options);
    await call(running.client);

    await succeeds(admin.deleteUser(mallory));
    await expectRefused(options, running);
  });

  it('is let in when it is made, by a client that started in the background', async () => {
    const late = user('late');
    const options: MilvusClientOptions = {
      address: milvus.address,
      ...late,
      startup: { mode: 'background' },
    };
    const running = await boot(options);
    await expectRefused(options, running);

    await succeeds(admin.createUser(late));
    await expectLetIn(running);
  });
});

describe('a user without rights', () => {
  const user = { username: 'bob', password: 'may-nothing' };
  const collection_name = 'not_for_bob';
  const rows = [{ id: 1, vector: [1, 2, 3, 4] }];

  beforeAll(async () => {
    await succeeds(admin.createUser(user));
    await succeeds(admin.createRole({ roleName: 'guest' }));
    await succeeds(admin.addUserToRole({ username: user.username, roleName: 'guest' }));
    await succeeds(admin.createCollection({ collection_name, dimension: 4 }));
  });

  it.each<[method: string, privilege: string, call: (client: PooledMilvusClient) => Promise<unknown>]>([
    ['insert', 'PrivilegeInsert', client => client.insert({ collection_name, data: rows })],
    [
      'search',
      'PrivilegeSearch',
      client => client.search({ collection_name, data: [[1, 2, 3, 4]], limit: 1 }),
    ],
    ['query', 'PrivilegeQuery', client => client.query({ collection_name, filter: 'id > 0' })],
    ['dropCollection', 'PrivilegeDropCollection', client => client.dropCollection({ collection_name })],
    ['listDatabases', 'PrivilegeListDatabases', client => client.listDatabases()],
  ])('starts, is healthy, and gets an answer: no %s', async (method, privilege, call) => {
    const options = { address: milvus.address, ...user };
    const { client, health } = await boot(options);

    const error = await failureOf<MilvusServerError>(call(client));

    expect(error.constructor).toBe(MilvusServerError);
    expect(error).toMatchObject({
      client: 'secure',
      method,
      grpcCode: 7,
      errorName: 'PERMISSION_DENIED',
      reason: `${privilege}: permission deny to bob`,
    });
    expect(error.message).toContain(`Milvus client "secure": ${method}`);
    expect(error.message).toContain(milvus.address);
    expect(error.message).toContain(error.reason);
    expectNoSecret(options, error);
    expect(await health()).toMatchObject({ status: 'up' });
  });

  it('may when the right is granted', async () => {
    const { client } = await boot({ address: milvus.address, ...user });
    const insert = () => client.insert({ collection_name, data: rows });
    await expect(insert()).rejects.toBeInstanceOf(MilvusServerError);

    await succeeds(
      admin.grantPrivilege({
        roleName: 'guest',
        object: RbacObjects.Collection,
        objectName: collection_name,
        privilegeName: 'Insert',
      }),
    );

    const inserted = await until(() =>
      insert().catch((error: MilvusServerError) => {
        if (error.errorName !== 'PERMISSION_DENIED') throw error;
        return undefined;
      }),
    );
    expect(inserted).toMatchObject({ insert_cnt: '1' });
  });

  it('is not told that there is no collection, when it may not know', async () => {
    const { client } = await boot({ address: milvus.address, ...user });
    const ask = () => client.hasCollection({ collection_name });
    expect((await ask()).value).toBe(true);

    // Everybody has this right, in every database.
    await succeeds(
      admin.with({ database: '*' }).revokePrivilege({
        roleName: 'public',
        object: RbacObjects.Global,
        objectName: '*',
        privilegeName: 'DescribeCollection',
      }),
    );

    const error = await until(() =>
      ask().then(
        ({ value }) => (value ? undefined : new Error('it was told so')),
        (refusal: Error) => refusal,
      ),
    );
    expect(error).toMatchObject({ name: 'MilvusServerError', errorName: 'PERMISSION_DENIED' });
  });
});

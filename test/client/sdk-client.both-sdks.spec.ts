import { afterAll, describe, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { SdkClient, sdkAliases } from '../../lib/client/sdk-client.js';
import { closeClients, pooledClient } from '../support/pooled-client.js';

type Fields = Record<string, unknown>;

/** As the SDK makes one. */
const plain = new MilvusClient({
  address: 'h:1',
  database: 'books',
  __SKIP_CONNECT__: true,
  pool: { min: 0, max: 1 },
  maxRetries: 0,
  telemetry: { enabled: false },
} as ConstructorParameters<typeof MilvusClient>[0]);

const make = (address = 'h:1', database = 'books') => new SdkClient({ address, database });
const of = (client: object) => client as unknown as Fields;
const kinds = (client: object, names: PropertyKey[]) =>
  Object.fromEntries(names.map(name => [name, typeof (client as Fields)[name as string]]));

afterAll(closeClients);

describe("the SDK's client, but for what its constructor costs", () => {
  it('has every field that the constructor gives, of the same type', () => {
    const names = Reflect.ownKeys(plain).filter(name => name !== 'channelPool');
    expect(names.length).toBeGreaterThan(20);
    expect(kinds(pooledClient('h:1'), names)).toEqual(kinds(plain, names));
    // Second names of methods are the pooled client's own, and so is its channel.
    const fields = names.filter(name => !sdkAliases().has(name as string));
    expect(kinds(make(), fields)).toEqual(kinds(plain, fields));
    expect(of(make())['channelPool']).toBeUndefined();
  });

  it('has the values that the constructor gives, but for those of each client', () => {
    const simple = Reflect.ownKeys(plain).filter(
      name =>
        ['string', 'number', 'boolean'].includes(typeof of(plain)[name as string]) && name !== 'clientId',
    ) as string[];
    const values = (client: object) => Object.fromEntries(simple.map(name => [name, of(client)[name]]));
    expect(simple.length).toBeGreaterThan(5);
    // Whether a database was named is for the SDK's telemetry, which is off.
    const ignored = { telemetryDatabaseExplicit: expect.anything() };
    expect({ ...values(plain), ...ignored }).toEqual({ ...values(make()), ...ignored });
  });

  it('has every method of the class, own or inherited', () => {
    const methods: string[] = [];
    for (let level = plain as object; level !== Object.prototype; level = Object.getPrototypeOf(level)) {
      methods.push(...Object.getOwnPropertyNames(level));
    }
    const missing = (client: object) => methods.filter(name => !(name in client));
    expect(methods.length).toBeGreaterThan(150);
    expect(missing(make()).filter(name => !sdkAliases().has(name))).toEqual([]);
    expect(missing(pooledClient('h:1'))).toEqual([]);
  });

  it('is a MilvusClient, and so is a class of its own', () => {
    class Mine extends SdkClient {
      readonly mine = 1;
    }
    const client = new Mine({ address: 'h:1', database: 'books' });
    expect(client).toBeInstanceOf(MilvusClient);
    expect(client).toBeInstanceOf(Mine);
    expect([client.mine, client.constructor.name]).toEqual([1, 'Mine']);
    expect(make()).toBeInstanceOf(MilvusClient);
    expect(make()).not.toBeInstanceOf(Mine);
  });

  it('has the statics of the class', () => {
    const statics = Reflect.ownKeys(MilvusClient).filter(
      name => !['length', 'name', 'prototype'].includes(name as string),
    );
    expect(statics).toContain('sdkInfo');
    for (const name of statics) expect(Reflect.get(SdkClient, name)).toEqual(Reflect.get(MilvusClient, name));
  });

  it('knows the second names that the constructor gives methods', () => {
    const aliases = Object.keys(plain).filter(name => {
      const value = of(plain)[name];
      return typeof value === 'function' && of(plain)[value.name] === value && value.name !== name;
    });
    expect(aliases).toContain('hybridSearch');
    expect([...sdkAliases().keys()].sort()).toEqual([...aliases].sort());
    for (const [alias, method] of sdkAliases()) {
      expect([alias, (of(plain)[alias] as () => void).name]).toEqual([alias, method.name]);
      expect(typeof of(pooledClient('h:1'))[alias]).toBe('function');
    }
  });

  it('has an identity, a configuration and metadata of its own', () => {
    const [one, other] = [make('h:1', 'books'), make('h:2', 'films')];
    expect(one.clientId).toMatch(/^[0-9a-f-]{36}$/);
    expect(one.clientId).not.toBe(other.clientId);
    expect([one, other].map(({ config }) => [config.address, config.database])).toEqual([
      ['h:1', 'books'],
      ['h:2', 'films'],
    ]);
    const databases = [plain, one, other].map(each => [...(of(each)['metadata'] as Map<string, string>)]);
    expect(databases).toEqual([[['dbname', 'books']], [['dbname', 'books']], [['dbname', 'films']]]);
  });

  it('keeps to itself what is assigned to it, whatever field', () => {
    const [one, other] = [make(), make()];
    const names = Reflect.ownKeys(plain) as string[];
    const before = names.map(name => of(other)[name]);
    for (const name of names) of(one)[name] = `other ${name}`;
    expect(names.map(name => of(one)[name])).toEqual(names.map(name => `other ${name}`));
    expect(names.map(name => of(other)[name])).toEqual(before);
    expect(names.filter(name => `${String(of(make())[name])}`.startsWith('other '))).toEqual([]);
  });

  it('keeps to itself what the SDK itself keeps changing in a client', () => {
    const [one, other] = [make(), make()];
    (of(one)['metadata'] as Map<string, string>).set('identifier', '7');
    (one.config as unknown as Fields)['address'] = 'elsewhere:1';
    expect((of(other)['metadata'] as Map<string, string>).has('identifier')).toBe(false);
    expect(other.config.address).toBe('h:1');
    expect(make().config.address).toBe('h:1');
  });
});

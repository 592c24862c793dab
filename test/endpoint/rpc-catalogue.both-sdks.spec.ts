import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type MilvusService, milvusService } from '../../lib/client/rpc-channel.js';
import {
  answersExists,
  repeatabilityOf,
  repeatabilityOfRequest,
  rpcCatalogue,
} from '../../lib/endpoint/rpc-catalogue.js';
import { closeClients, pooledClient } from '../support/pooled-client.js';

/** The lists as they are written: a map would hide an RPC that stands in two of them. */
const source = readFileSync(join(import.meta.dirname, '../../lib/endpoint/rpc-catalogue.ts'), 'utf8');
const lists = new Map(
  [...source.matchAll(/^const ([A-Z]+) = `([^`]*)`;$/gm)].map(([, name, text]) => [
    name!,
    text!.trim().split(/\s+/),
  ]),
);

let service: MilvusService;

beforeAll(() => {
  service = milvusService(pooledClient('127.0.0.1:1'));
});

afterAll(closeClients);

describe('the catalogue of RPCs', () => {
  it('has a place for every RPC of this SDK', () => {
    const unknown = [...service.methods.keys()].filter(rpc => !rpcCatalogue.has(rpc));
    expect(unknown).toEqual([]);
    expect(service.methods.size).toBeGreaterThan(80);
  });

  it('gives every RPC that is sent the class of its list', () => {
    for (const [rpc, { repeatability }] of service.methods) {
      expect([rpc, repeatability]).toEqual([rpc, rpcCatalogue.get(rpc)]);
    }
  });

  it('has no RPC twice', () => {
    expect([...lists.keys()]).toEqual(['READS', 'SETTERS', 'CREATORS', 'ONCE']);
    const all = [...lists.values()].flat();
    expect(all.filter((rpc, index) => all.indexOf(rpc) !== index)).toEqual([]);
    expect(rpcCatalogue.size).toBe(all.length);
  });

  it('has in each class what its list says', () => {
    const classOf = { READS: 'read', SETTERS: 'repeatable', CREATORS: 'repeatable', ONCE: 'once' } as const;
    for (const [list, expected] of Object.entries(classOf)) {
      for (const rpc of lists.get(list)!) {
        expect([rpc, repeatabilityOf(rpc)]).toEqual([rpc, expected]);
        expect([rpc, answersExists(rpc)]).toEqual([rpc, list === 'CREATORS']);
      }
    }
  });

  it.each([
    [
      'read',
      ['Connect', 'Search', 'HybridSearch', 'Query', 'DescribeCollection', 'GetLoadState', 'ListAliases'],
    ],
    ['repeatable', ['CreateCollection', 'LoadCollection', 'CreateIndex', 'Flush', 'CreateDatabase']],
    ['repeatable', ['CreateAlias', 'AlterCollection', 'AddCollectionField', 'AlterCollectionSchema']],
    ['once', ['Insert', 'Upsert', 'Delete', 'DropCollection', 'DropIndex', 'DropDatabase', 'AlterAlias']],
    ['once', ['RenameCollection', 'TruncateCollection', 'Import', 'CreateCredential', 'OperatePrivilege']],
  ] as const)('has as %s: %j', (expected, rpcs) => {
    for (const rpc of rpcs) expect([rpc, repeatabilityOf(rpc)]).toEqual([rpc, expected]);
  });

  it('reads with nothing whose name says that it changes something', () => {
    const changes =
      /^(Create|Drop|Delete|Insert|Upsert|Alter|Add|Remove|Update|Rename|Truncate|Operate|Transfer)/;
    expect(lists.get('READS')!.filter(rpc => changes.test(rpc))).toEqual([]);
  });

  it('repeats no RPC that drops, deletes or renames', () => {
    const destroys = /Drop|Delete|Remove|Rename|Truncate/;
    const all = [...rpcCatalogue.keys(), ...service.methods.keys()];
    for (const rpc of all.filter(name => destroys.test(name))) {
      expect([rpc, repeatabilityOf(rpc)]).toEqual([rpc, 'once']);
    }
  });

  it('has an RPC once that nobody has looked at', () => {
    expect(repeatabilityOf('DoSomethingNew')).toBe('once');
    expect(answersExists('DoSomethingNew')).toBe(false);
  });
});

describe('one request', () => {
  const alter = { name: 'AlterCollectionSchema', repeatability: 'repeatable' as const };

  it.each([
    ['adds', alter, { action: { add_request: {} } }, 'repeatable'],
    ['drops', alter, { action: { drop_request: { field_name: 'a' } } }, 'once'],
    ['does nothing', alter, { action: null }, 'repeatable'],
    ['says nothing', alter, {}, 'repeatable'],
    [
      'of another RPC',
      { name: 'Query', repeatability: 'read' as const },
      { action: { drop_request: 1 } },
      'read',
    ],
  ])('that %s is of the class that fits it', (_what, method, request, expected) => {
    expect(repeatabilityOfRequest(method, request as object)).toBe(expected);
  });
});

import { afterAll, describe, expect, it } from '@jest/globals';
import { milvusService } from '../../lib/client/rpc-channel.js';
import { rpcCatalogue } from '../../lib/endpoint/rpc-catalogue.js';
import { closeClients, pooledClient } from '../support/pooled-client.js';

afterAll(closeClients);

describe('the catalogue of RPCs', () => {
  it('has none that even the newest SDK does not know', () => {
    const { methods } = milvusService(pooledClient('127.0.0.1:1'));
    expect([...rpcCatalogue.keys()].filter(rpc => !methods.has(rpc))).toEqual([]);
  });
});

import { inspect } from 'node:util';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { HeldConnection, MilvusLease } from '../../lib/client/milvus-lease.js';
import type { PooledMilvusClient } from '../../lib/client/pooled-milvus-client.js';
import type { Lease } from '../../lib/pool/lease.js';
import type { Http2Connection } from '../../lib/transport/http2-connection.js';

const client = { name: 'of the lease' } as PooledMilvusClient;

let happened: string[];
let held: HeldConnection;
let lease: MilvusLease;

beforeEach(() => {
  happened = [];
  const connections = { secret: 'hunter2', release: () => happened.push('given back') };
  held = new HeldConnection(connections as unknown as Lease<Http2Connection>, each =>
    happened.push(`told: ${each === held}, ${each.released}`),
  );
  lease = new MilvusLease(client, held);
});

describe('a lease', () => {
  it('gives its connection back, once', () => {
    expect([lease.client, held.released]).toEqual([client, false]);
    lease.release();
    lease.release();
    expect([happened, held.released]).toEqual([['told: true, true', 'given back'], true]);
  });

  it('gives it back at the end of a block, after which it may be released too', async () => {
    const dispose = lease[Symbol.asyncDispose].bind(lease);
    await dispose();
    await dispose();
    lease.release();
    expect(happened.length).toBe(2);
  });

  it('shows nothing of what is behind', () => {
    expect(inspect(lease, { depth: 9, showHidden: true })).not.toContain('hunter2');
    expect(Object.keys(lease)).toEqual(['client']);
  });
});

import { afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type MilvusService, milvusService, type RpcChannel } from '../../lib/client/rpc-channel.js';
import type { Rpc } from '../../lib/endpoint/rpc.js';
import { closeClients, failureOf, pooledClient } from '../support/pooled-client.js';

type Rpcs = Record<string, (request: object, ...rest: unknown[]) => void>;

/** As the SDK's own grpc-js makes one, whichever copy that is. */
class Metadata {
  constructor(private readonly values: Record<string, string>) {}
  get(key: string): string[] {
    return this.values[key] === undefined ? [] : [this.values[key]];
  }
}

const inOneMinute = () => new Date(Date.now() + 60_000);

let service: MilvusService;
let sent: Rpc[];
let answer: () => Promise<object>;
let channel: RpcChannel & Rpcs;

beforeAll(() => {
  service = milvusService(pooledClient('127.0.0.1:1'));
});

beforeEach(() => {
  sent = [];
  answer = async () => ({ version: '1' });
  channel = new service.Channel((rpc, done) => {
    sent.push(rpc);
    answer().then(message => done(null, message), done);
  }) as RpcChannel & Rpcs;
});

afterEach(closeClients);

function invoke(...rest: unknown[]): Promise<unknown> {
  return new Promise((resolve, reject) =>
    channel['GetVersion']!({ a: 1 }, ...rest, (error: unknown, response: unknown) =>
      error ? reject(error) : resolve(response),
    ),
  );
}

describe('the service', () => {
  it('has the RPCs of Milvus, with paths and serializers', () => {
    const insert = service.methods.get('Insert')!;

    expect(service.methods.size).toBeGreaterThan(80);
    expect(insert).toMatchObject({ name: 'Insert', path: '/milvus.proto.milvus.MilvusService/Insert' });
    const bytes = Buffer.from(insert.serialize({ collection_name: 'books' }));
    expect(bytes.includes('books')).toBe(true);
    expect(service.methods.get('GetVersion')!.deserialize(Buffer.alloc(0))).toMatchObject({ version: '' });
  });

  it('is read once for the process', () => {
    expect(milvusService(pooledClient('127.0.0.1:2'))).toBe(service);
  });

  it('has no streaming RPC, which nobody could send', () => {
    expect(service.methods.has('GetReplicateInfo')).toBe(true);
    expect(service.methods.has('CreateReplicateStream')).toBe(false);
  });
});

describe('the channel', () => {
  it('may be awaited, and is what the pool gives out', async () => {
    expect('then' in channel).toBe(false);
    expect(await channel.acquire()).toBe(channel);
    channel.release();
    await channel.drain();
    await channel.clear();
  });

  it('has a method for each RPC', () => {
    for (const name of service.methods.keys()) expect(channel[name]).toBeInstanceOf(Function);
  });

  it('sends (request, options, callback)', async () => {
    await expect(invoke({ deadline: inOneMinute() })).resolves.toEqual({ version: '1' });

    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatchObject({ method: { name: 'GetVersion' }, request: { a: 1 } });
    expect(sent[0]!.timeoutMs).toBeGreaterThan(50_000);
    expect(sent[0]!.timeoutMs).toBeLessThanOrEqual(60_000);
    expect(sent[0]!.metadata).toEqual({ 'client-request-unixmsec': expect.stringMatching(/^\d{13}$/) });
  });

  it('sends (request, metadata, options, callback), as SDK 3.0.6 does for a request id', async () => {
    await invoke(new Metadata({ 'client-request-id': 'trace-1' }), { deadline: inOneMinute() });

    expect(sent[0]!.metadata).toMatchObject({ 'client-request-id': 'trace-1' });
    expect(sent[0]!.timeoutMs).toBeGreaterThan(50_000);
  });

  it('takes the metadata from the options, as SDK 2.6 gives it', async () => {
    await invoke({ deadline: inOneMinute(), metadata: new Metadata({ 'client-request-id': 'trace-2' }) });

    expect(sent[0]!.metadata).toMatchObject({ 'client-request-id': 'trace-2' });
  });

  it('gives the failure to the callback', async () => {
    const error = new Error('no');
    answer = () => Promise.reject(error);

    expect(await failureOf(invoke({ deadline: inOneMinute() }))).toBe(error);
  });
});

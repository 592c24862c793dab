import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusClient } from '@zilliz/milvus2-sdk-node';
import { type GrpcJsServer, startGrpcJsServer } from '../../support/grpc-js-server.js';
import { type Message, milvusService, StubServer, status as stubStatus } from '../../support/stub-server.js';

let server: GrpcJsServer;
let client: Client;

beforeEach(async () => {
  server = await startGrpcJsServer();
  client = new Client(server.address, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
  });
});

afterEach(async () => {
  client.close();
  await server.stop();
});

function call(
  rpc: string,
  {
    headers = {},
    deadlineMs = 20_000,
    by = client,
  }: { headers?: object; deadlineMs?: number; by?: Client } = {},
): Promise<Message> {
  const { path, requestSerialize, responseDeserialize } = milvusService[rpc]!;
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  return new Promise((resolve, reject) => {
    by.makeUnaryRequest<Message, Message>(
      path,
      requestSerialize,
      responseDeserialize,
      { collection_name: 'c' },
      metadata,
      { deadline: Date.now() + deadlineMs },
      (error, answer) => (error ? reject(error) : resolve(answer!)),
    );
  });
}

describe('the grpc-js server', () => {
  it('answers and records', async () => {
    expect(await call('GetVersion')).toMatchObject({ version: expect.any(String) });
    expect(await call('CheckHealth')).toMatchObject({ isHealthy: true });
    expect(await call('Connect')).toMatchObject({ identifier: '7' });
    expect(await call('Search', { headers: { dbname: 'd' } })).toMatchObject({ results: { scores: [0.5] } });
    expect(server.received.map(({ rpc }) => rpc)).toEqual(['GetVersion', 'CheckHealth', 'Connect', 'Search']);
    expect(server.received[3]).toMatchObject({
      metadata: { dbname: 'd' },
      request: { collection_name: 'c' },
      cancelled: false,
    });
    const remaining = server.received[3]!.deadlineMs - Date.now();
    expect(remaining).toBeGreaterThan(10_000);
    expect(remaining).toBeLessThanOrEqual(20_100);
  });

  it('answers at any size', async () => {
    const answer = await call('Search', { headers: { 'x-answer-bytes': '6000000' } });
    const results = answer['results'] as { fields_data: { scalars: { string_data: { data: string[] } } }[] };
    expect(results.fields_data[1]?.scalars.string_data.data[0]).toHaveLength(6_000_000);
  });

  it.each([1, 5, 8, 13, 14, 16])('fails with status %i', async code => {
    const headers = { 'x-status': String(code), 'x-message': encodeURIComponent('weg – 100 %, 日本') };
    await expect(call('Query', { headers })).rejects.toMatchObject({ code, details: 'weg – 100 %, 日本' });
  });

  it('hangs, and learns of the deadline', async () => {
    // It connects with the first call.
    await call('GetVersion');
    await expect(call('Search', { headers: { 'x-hang': '1' }, deadlineMs: 300 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    await server.waitFor(received => received.at(-1)?.rpc === 'Search' && received.at(-1)!.cancelled);
  });

  it('reads gzip requests', async () => {
    const zipping = new Client(server.address, credentials.createInsecure(), {
      'grpc.default_compression_algorithm': 2,
    });
    await call('Search', { by: zipping });
    expect(server.received[0]?.request).toMatchObject({ collection_name: 'c' });
    zipping.close();
  });
});

describe('the stub, seen by others', () => {
  it('is a Milvus to the SDK', async () => {
    const stub = await StubServer.start();
    const sdk = new MilvusClient({ address: stub.address, logLevel: 'error' });
    const books = { collection_name: 'books' };
    const vectors = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ];
    const data = vectors.map((vector, id) => ({ id, vector }));
    expect(await sdk.checkHealth()).toMatchObject({ isHealthy: true });
    expect(await sdk.hasCollection(books)).toMatchObject({ value: true });
    expect(await sdk.loadCollection(books)).toMatchObject({ error_code: 'Success' });
    expect(await sdk.insert({ ...books, data })).toMatchObject({ insert_cnt: '2', succ_index: [0, 1] });
    expect((await sdk.search({ ...books, data: vectors[0]!, limit: 1 })).results).toEqual([
      { id: '1', score: 0.5 },
    ]);
    expect((await sdk.search({ ...books, data: vectors, limit: 1 })).results).toHaveLength(2);
    expect((await sdk.query({ ...books, expr: 'id > 0', output_fields: ['id'] })).data).toEqual([
      { id: '1' },
    ]);
    await sdk.closeConnection();
    await stub.stop();
  });

  it('is a gRPC server to grpc-js', async () => {
    const stub = await StubServer.start();
    stub.next('Query', stubStatus(7, 'nein, 日本'));
    const peer = new Client(stub.address, credentials.createInsecure());
    expect(await call('Search', { by: peer })).toMatchObject({ results: { scores: [0.5] } });
    const error = await call('Query', { by: peer }).catch((e: ServiceError) => e);
    expect(error).toMatchObject({ code: 7, details: 'nein, 日本' });
    peer.close();
    await stub.stop();
  });
});

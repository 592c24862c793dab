import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusError } from '../../../lib/index.js';
import { closeClients, failureOf, pooledClient } from '../../support/pooled-client.js';
import { answerRaw, badFraming, httpStatus, rst, StubServer, status } from '../../support/stub-server.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

describe('an answer that is none', () => {
  it.each([
    ['not gRPC', httpStatus(502), 'MILVUS_UNAVAILABLE', 3],
    ['cut off', badFraming('truncated'), 'MILVUS_UNAVAILABLE', 1],
    ['two at once', badFraming('two-messages'), 'MILVUS_UNAVAILABLE', 1],
    ['a reset stream', rst(2), 'MILVUS_UNAVAILABLE', 3],
    ['a refusal', status(7, 'no privilege'), 'MILVUS_SERVER', 1],
    ['no protobuf', answerRaw(Buffer.from([0xff, 0xff, 0xff, 0x01])), 'MILVUS_SERVER', 1],
  ])(
    'names client, method and number of attempts when it is %s',
    async (_what, behaviour, code, attempts) => {
      stub.always('GetVersion', behaviour);
      const error = await failureOf(pooledClient(stub.address, { name: 'search' }).getVersion());

      expect(error).toBeInstanceOf(MilvusError);
      expect(error).toMatchObject({ client: 'search', method: 'getVersion', code, attempts });
      expect(stub.count('GetVersion')).toBe(attempts);
    },
  );
});

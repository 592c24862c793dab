import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { grpcCodeName } from '../../../lib/transport/grpc-status.js';
import { badFraming, httpStatus, noTrailers, status } from '../../support/stub-server.js';
import { Table } from './cells.js';
import { type Promised, promised } from './promises.js';

const { doubtful, doubtfulOnTheWay, lost, notAuthenticated, notMilvus, outOfTime, refused, tooLarge } =
  promised;

const table = new Table();

beforeAll(() => table.begin());
afterAll(() => table.end());

describe('a gRPC status of the server', () => {
  it.each<[string, number, Promised]>(
    (
      [
        [1, lost],
        [2, doubtful],
        [3, refused],
        [4, outOfTime],
        [5, refused],
        [6, refused],
        [7, refused],
        [8, doubtful],
        [9, refused],
        [10, doubtful],
        [11, refused],
        [12, refused],
        [13, doubtful],
        [14, lost],
        [15, doubtful],
        [16, notAuthenticated],
        [99, doubtful],
      ] as const
    ).map(([code, promise]) => [grpcCodeName(code), code, promise]),
  )('%s', async (_name, code, promise) => {
    for (const trailersOnly of [true, false]) {
      await table.expect({ behaviour: status(code, 'no', { trailersOnly }), promised: promise });
    }
  });
});

describe('RESOURCE_EXHAUSTED', () => {
  it.each<[string, string, Promised]>([
    ['of a request that is too large', 'Received message larger than max (9 vs. 4)', refused],
    ['of an answer that is too large', 'trying to send message larger than max (9 vs. 4)', doubtful],
  ])('%s', async (_what, message, promise) => {
    await table.expect({ behaviour: status(8, message), promised: promise });
  });
});

describe('an answer that is not gRPC', () => {
  it.each<[number, Promised]>([
    [400, notMilvus],
    [403, notMilvus],
    [404, notMilvus],
    [408, doubtfulOnTheWay],
    [500, doubtfulOnTheWay],
    [401, notAuthenticated],
    [429, lost],
    [502, lost],
    [503, lost],
    [504, lost],
  ])('HTTP %d', async (code, promise) => {
    await table.expect({ behaviour: httpStatus(code), promised: promise });
  });
});

describe('an answer that cannot be read', () => {
  it.each([
    ['truncated', doubtfulOnTheWay],
    ['two-messages', doubtfulOnTheWay],
    ['no-message', doubtfulOnTheWay],
    ['garbage', doubtfulOnTheWay],
    ['huge-length', tooLarge],
  ] as const)('%s', async (kind, promise) => {
    await table.expect({ behaviour: badFraming(kind), promised: promise }, { executes: true });
  });

  it('a stream that ends without a status', async () => {
    await table.expect({ behaviour: noTrailers(), promised: lost }, { executes: true });
  });
});

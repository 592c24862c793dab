import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MilvusClosedError,
  MilvusDeadlineExceededError,
  type PooledMilvusClient,
} from '../../../lib/index.js';
import {
  closeClients,
  durationOf,
  failureOf,
  gate,
  pooledClient,
  quietly,
  SOON_MS,
} from '../../support/pooled-client.js';
import { delay, hang, StubServer, status, success } from '../../support/stub-server.js';

let stub: StubServer;
let client: PooledMilvusClient;

beforeEach(async () => {
  stub = await StubServer.start();
  client = pooledClient(stub.address, { name: 'search', timeouts: { readMs: 120_000, writeMs: 120_000 } });
  await client.ping({ timeoutMs: 10_000 });
  stub.resetCounts();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const rows = { collection_name: 'c', data: [{ id: 1, vector: [1, 2, 3, 4] }] };
const over = 'was refused: the execute() that gave this client has ended';

/** What the server was told of the time that it has. */
const toldMs = (rpc: string) =>
  stub.calls(rpc).map(({ metadata }) => Number.parseInt(String(metadata['grpc-timeout']), 10));

/** A function that still wants to make a call when its execute() has ended, and what comes of that. */
function lateCaller() {
  const { opened, open } = gate();
  let told: (error: Error) => void;
  const refusal = new Promise<Error>(resolve => {
    told = resolve;
  });
  const run = async (same: PooledMilvusClient) => {
    // On a machine that stalls its time may be up already.
    await same.getVersion().catch(() => {});
    await opened;
    await same.getVersion().catch(error => {
      told(error);
      throw error;
    });
  };
  return { run, open, refusal };
}

describe('the deadline of execute()', () => {
  it('is one for all its calls', async () => {
    stub.next('GetVersion', delay(150));
    await client.execute(
      async same => {
        await same.getVersion();
        await same.insert(rows);
      },
      { timeoutMs: 60_000 },
    );

    expect(toldMs('GetVersion')[0]).toBeLessThanOrEqual(60_000);
    for (const rpc of ['DescribeCollection', 'Insert'])
      expect(toldMs(rpc)[0]).toBeLessThanOrEqual(toldMs('GetVersion')[0]! - 148);
  });

  it('leaves a call its own limit when that is sooner', async () => {
    stub.always('Query', hang());
    const query = client.execute(
      same => same.query({ collection_name: 'c', filter: 'id > 0', timeout: 150 }),
      { timeoutMs: 60_000 },
    );

    expect(await failureOf(query)).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'query' });
  });

  it.each<[string, () => PooledMilvusClient, { timeoutMs?: number }, string]>([
    ['its own', () => client, { timeoutMs: 300 }, '`execute({ timeoutMs })`'],
    ['that of its client', () => client.with({ timeoutMs: 300 }), {}, '`with({ timeoutMs })`'],
    [
      'the default',
      () => pooledClient(stub.address, { name: 'search', timeouts: { waitMs: 300 } }),
      {},
      '`timeouts.waitMs`',
    ],
  ])(
    'ends it whatever its function is doing, and refuses later calls: %s',
    async (_whose, clientOf, options, setBy) => {
      const own = clientOf();
      await own.ping({ timeoutMs: 10_000 });
      const { run, open, refusal } = lateCaller();
      const execution = quietly(own.execute(run, options));
      const tookMs = await durationOf(execution);

      const error = await failureOf(execution);
      expect(error).toBeInstanceOf(MilvusDeadlineExceededError);
      expect(error).toMatchObject({ client: 'search', method: 'execute' });
      expect(error.message).toMatch(/^Milvus client "search": execute did not end within its 300 ms\./);
      expect(error.message).toContain(`Raise ${setBy}`);
      expect(tookMs).toBeGreaterThan(290);
      expect(tookMs).toBeLessThan(300 + SOON_MS);

      const sent = stub.count();
      open();
      expect(await refusal).toBeInstanceOf(MilvusClosedError);
      expect((await refusal).message).toBe(`Milvus client "search": getVersion ${over}`);
      await client.ping({ timeoutMs: 10_000 });
      expect(stub.count()).toBe(sent + 1);
    },
  );

  it('ends the call that is on the wire, which says so', async () => {
    stub.always('GetVersion', hang());
    let call: Promise<unknown>;
    // Also when its function makes nothing of that.
    const run = (same: PooledMilvusClient) => {
      call = quietly(same.getVersion());
      return call.catch(() => 'caught');
    };
    const execute = client.execute(run, { timeoutMs: 200 });

    expect(await failureOf(execute)).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'execute' });
    const ofCall = await failureOf(call!);
    expect(ofCall).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'getVersion' });
    expect(ofCall.message).toMatch(
      /getVersion did not end within its 200 ms.*Raise `execute\(\{ timeoutMs \}\)`/,
    );
    await stub.waitFor(s => s.cancelled.length === 1);
  });

  it('ends a call that polls, at once', async () => {
    stub.on('GetLoadingProgress', () => ({ status: success, progress: 10 }));
    let ofLoad: unknown;
    const run = (same: PooledMilvusClient) => {
      void same.loadCollection({ collection_name: 'c' }).catch(error => {
        ofLoad = error;
      });
      return new Promise(() => {});
    };
    const error = await failureOf(client.execute(run, { timeoutMs: 300 }));
    await new Promise(resolve => setImmediate(resolve));

    expect(error).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'execute' });
    // Not when it would ask again, 500 ms after the first time.
    expect(ofLoad).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'loadCollection' });
  });

  it('is the sooner of two, one in the other', async () => {
    stub.always('GetVersion', hang());
    const nested = (outerMs: number, innerMs: number) => {
      let ofInner: Promise<unknown> | undefined;
      const run = client.execute(
        outer => {
          ofInner = quietly(outer.execute(inner => inner.getVersion(), { timeoutMs: innerMs }));
          return ofInner;
        },
        { timeoutMs: outerMs },
      );
      return failureOf(run);
    };

    expect((await nested(60_000, 150)).message).toMatch(
      /execute did not end within its 150 ms.*Raise `execute\(\{ timeoutMs \}\)`/,
    );
    expect((await nested(150, 60_000)).message).toMatch(/execute did not end within its 150 ms/);
    await stub.waitFor(s => s.cancelled.length === 2);
  });

  it.each<[string, string, (same: PooledMilvusClient) => Promise<unknown>, true | undefined]>([
    ['an insert is', 'Insert', same => same.insert(rows), true],
    ['a search is', 'Search', same => same.search({ collection_name: 'c', data: [1, 2, 3, 4] }), undefined],
    [
      'nothing is, after an insert that was acknowledged',
      'GetVersion',
      async same => {
        await same.insert(rows);
        await same.getVersion();
      },
      undefined,
    ],
  ])(
    'says whether the outcome of a write is unknown when %s on the wire',
    async (_what, rpc, run, expected) => {
      let error: Error;
      // Again on a machine that stalls: there the time may be up before.
      do {
        stub.behave();
        stub.always(rpc, hang());
        error = await failureOf(client.execute(run, { timeoutMs: 300 }));
      } while (stub.count(rpc) === 0);

      expect(error).toMatchObject({ code: 'MILVUS_DEADLINE_EXCEEDED', method: 'execute' });
      expect((error as { outcomeUnknown?: true }).outcomeUnknown).toBe(expected);
    },
  );

  it('does not forget a write of which nobody knows, also when its function took no notice', async () => {
    stub.always('Insert', status(14, 'no coordinator'));
    const execute = client.execute(
      async same => {
        await same.insert(rows).catch(() => {});
        await new Promise(() => {});
      },
      { timeoutMs: 300 },
    );

    expect(await failureOf(execute)).toMatchObject({ method: 'execute', outcomeUnknown: true });
  });
});

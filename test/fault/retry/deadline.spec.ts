import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  closeClients,
  connected,
  durationOf,
  failureOf,
  pooledClient,
  SOON_MS,
} from '../../support/pooled-client.js';
import { delay, StubServer, status } from '../../support/stub-server.js';
import { QUICK } from './cells.js';

let stub: StubServer;

beforeEach(async () => {
  stub = await StubServer.start();
});

afterEach(async () => {
  await closeClients();
  await stub.stop();
});

const request = { collection_name: 'c' };

describe("a call's deadline", () => {
  it('is not waited for in a pause that would pass it: the last error comes at once', async () => {
    const retry = { initialDelayMs: 3 * SOON_MS, maxDelayMs: 3 * SOON_MS, jitter: 'none' as const };
    const client = pooledClient(stub.address, { retry, retryBudget: false });
    stub.always('GetLoadState', status(14, 'no coordinator'));

    const call = failureOf(client.with({ timeoutMs: 2 * SOON_MS }).getLoadState(request));
    expect(await durationOf(call)).toBeLessThan(SOON_MS);
    const error = await call;
    expect(error).toMatchObject({ name: 'MilvusUnavailableError', attempts: 1 });
    expect(error.message).toContain('no coordinator');
    expect(error.message).toContain('There was no time to send it again');
    expect(stub.count()).toBe(1);
  });

  it.each(['with({ timeoutMs })', "the request's `timeout`"])(
    'is that of all attempts together: %s',
    async setBy => {
      const retry = { ...QUICK, maxAttempts: 100 };
      const client = pooledClient(stub.address, { retry, retryBudget: false });
      await connected(client);
      const [limitMs, serverMs] = [700, 100];
      stub.always('GetLoadState', delay(serverMs, status(14)));

      const byScope = setBy.startsWith('with');
      const call = failureOf(
        byScope
          ? client.with({ timeoutMs: limitMs }).getLoadState(request)
          : client.getLoadState({ ...request, timeout: limitMs }),
      );
      expect(await durationOf(call)).toBeLessThan(limitMs + SOON_MS);
      const { attempts, name } = await call;
      expect(name).toMatch(/^Milvus(DeadlineExceeded|Unavailable)Error$/);
      expect(attempts).toBe(stub.count());
      expect(stub.count()).toBeGreaterThan(1);
      expect(stub.count()).toBeLessThanOrEqual(limitMs / serverMs);

      // Each is told what is left, and Node's timers may be 1 ms early.
      const told = stub.received.map(({ metadata }) => milliseconds(String(metadata['grpc-timeout'])));
      for (const [before, ms] of told.entries()) {
        expect(ms).toBeLessThanOrEqual(limitMs - before * (serverMs - 1));
        expect(ms).toBeGreaterThan(0);
      }
      await client.drain();
      expect(stub.count()).toBe(attempts);
    },
  );
});

/** `9000m` → 9000 */
function milliseconds(timeout: string): number {
  const [, count, unit] = /^(\d+)([mSuMH])$/.exec(timeout)!;
  return Number(count) * { u: 1e-3, m: 1, S: 1e3, M: 6e4, H: 3.6e6 }[unit!]!;
}

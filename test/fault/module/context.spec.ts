import { AsyncLocalStorage } from 'node:async_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger, type LoggerService } from '@nestjs/common';
import { MilvusRegistry } from '../../../lib/index.js';
import { StubServer } from '../../support/stub-server.js';

let stub: StubServer;
let registry: MilvusRegistry;

beforeEach(async () => {
  stub = await StubServer.start();
  registry = new MilvusRegistry();
});

afterEach(async () => {
  Logger.overrideLogger(['fatal']);
  await registry.close({ drainTimeoutMs: 0 });
  await stub.stop();
});

describe('what outlives the request that made a client', () => {
  it('is not in its asynchronous context: probes, connections, and what is logged of them', async () => {
    const request = new AsyncLocalStorage<string>();
    const options = { address: stub.address, health: { intervalMs: 50 }, pool: { idleTimeoutMs: 100 } };
    await request.run('the first', async () => {
      const client = await registry.add('tenant', options);
      await client.getVersion();
    });
    const contexts = new Map<string, string | undefined>();
    const note = (line: unknown) => void contexts.set(`${line}`.split(' ')[0]!, request.getStore());
    Logger.overrideLogger({ log: note, warn: note, debug: note, error: note } as unknown as LoggerService);
    await stub.waitFor(s => s.count('CheckHealth') >= 3);
    stub.goaway();
    await stub.waitFor(s => s.connectionsEver >= 2 && s.count('CheckHealth') >= 5);

    expect([...contexts.keys()]).toEqual(expect.arrayContaining(['asked', 'connection']));
    expect(new Set(contexts.values())).toEqual(new Set([undefined]));
  });
});

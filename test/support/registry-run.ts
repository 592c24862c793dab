import { afterEach, beforeEach } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { MilvusRegistry } from '../../lib/index.js';
import { RecordedLog } from './nest-app.js';
import { StubServer } from './stub-server.js';

/** Of the test that runs. */
export let registry: MilvusRegistry;
export let stub: StubServer;
/** What the registry and its clients log. */
export let log: RecordedLog;

/** Gives each test of a file a registry, a server and a log of its own, and ends them. */
export function useRegistry(): void {
  beforeEach(async () => {
    log = new RecordedLog();
    Logger.overrideLogger(log);
    stub = await StubServer.start();
    registry = new MilvusRegistry();
  });

  afterEach(async () => {
    await registry.close({ drainTimeoutMs: 0 });
    await stub.stop();
    Logger.overrideLogger(['fatal']);
  });
}

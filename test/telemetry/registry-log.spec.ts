import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { EndpointStats } from '../../lib/telemetry/pool-telemetry.js';
import { RegistryLog } from '../../lib/telemetry/registry-log.js';
import { RecordedLog } from '../support/nest-app.js';

let recorded: RecordedLog;
let log: RegistryLog;

beforeEach(() => {
  recorded = new RecordedLog();
  Logger.overrideLogger(recorded);
  log = new RegistryLog();
});

afterEach(() => Logger.overrideLogger(['fatal']));

const endpoint = (address: string, ...clients: string[]) =>
  ({ address, clients }) as unknown as EndpointStats;

describe('the log of the registry', () => {
  it('says in one line who shares an endpoint, and who has one alone', () => {
    log.endpoints([endpoint('h:1', 'read', 'write'), endpoint('h:2', 'noisy')]);
    expect(recorded.lines).toEqual([
      'log [Milvus] 3 clients on 2 endpoints: h:1 shared by read, write; h:2 of noisy alone',
    ]);
  });

  it('says nothing where there is nothing to share', () => {
    log.endpoints([]);
    log.endpoints([endpoint('h:1', 'default')]);
    expect(recorded.lines).toEqual([]);
  });

  it('stays short, however many clients there are', () => {
    const many = Array.from({ length: 1_000 }, (_, index) => `t${index}`);
    log.endpoints([endpoint('h:1', ...many)]);
    expect(recorded.lines).toEqual([
      'log [Milvus] 1000 clients on 1 endpoint: h:1 shared by t0, t1, t2, t3, t4 and 995 more',
    ]);
  });

  it('warns of what its caller may not expect', () => {
    log.declaredRemoved('read', 'MilvusModule.forRoot (read)');
    log.otherOptions('read');
    expect(recorded.lines).toEqual([
      expect.stringMatching(
        /^warn \[Milvus\] client "read" is removed, which MilvusModule\.forRoot \(read\) decl/,
      ),
      expect.stringMatching(
        /^warn \[Milvus\] client "read" exists: the other options .* do not count\. remove\(\)/,
      ),
    ]);
  });
});

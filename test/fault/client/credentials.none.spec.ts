import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  MilvusAuthenticationError,
  MilvusDeadlineExceededError,
  MilvusInitializationError,
} from '../../../lib/index.js';
import { eventually, failureOf, times } from '../../support/pooled-client.js';
import { status } from '../../support/stub-server.js';
import { add, beginRun, endRun, headerOf, lazy, run } from './vault.js';

beforeEach(beginRun);
afterEach(endRun);

const never = () => new Promise<never>(() => {});

describe('a function that gives no credentials', () => {
  it.each([
    ['throws', () => Promise.reject(new Error('the vault is sealed')), /`credentials`.*the vault is sealed/],
    ['hangs', never, /`credentials`/],
  ])('and %s fails an eager boot in an error that names the client and it', async (_how, instead, why) => {
    const { stub, vault, registry } = run;
    vault.instead = instead;
    const error = await failureOf(add('search', { startup: { timeoutMs: 300 } }));
    expect(error).toBeInstanceOf(MilvusInitializationError);
    expect(error.message).toMatch(/Milvus client "search" could not start/);
    expect(error.message).toMatch(why);
    expect([stub.count(), registry.list()]).toEqual([0, []]);
  });

  it('is asked again until it gives some, within the time of an eager boot', async () => {
    const { vault } = run;
    vault.instead = () => Promise.reject(new Error('the vault is sealed'));
    setTimeout(() => {
      vault.instead = undefined;
    }, 200);
    const client = await add('search', { startup: { timeoutMs: 10_000 } });
    expect([client.pool.state, vault.asked]).toEqual(['ready', 2]);
  });

  it('and throws fails a call that was not sent', async () => {
    const { stub, vault } = run;
    vault.instead = () => Promise.reject(new Error('the vault is sealed'));
    const client = await add('search', lazy);
    for (const mode of ['throw', 'status'] as const) {
      const error = await failureOf<MilvusAuthenticationError>(client.with({ errors: mode }).getVersion());
      expect(error).toBeInstanceOf(MilvusAuthenticationError);
      expect(error).toMatchObject({ client: 'search', method: 'getVersion' });
      expect(error.message).toMatch(
        /it was not sent: its `credentials` function failed: the vault is sealed/,
      );
      expect((error.cause as Error).message).toBe('the vault is sealed');
    }
    expect([stub.count(), vault.asked]).toEqual([0, 1]);
  });

  it('and hangs ends a call at its deadline, which says for what it waited', async () => {
    const { stub, vault } = run;
    vault.instead = never;
    const client = await add('search', lazy);
    const calls = times(10, () => failureOf(client.with({ timeoutMs: 100 }).getVersion()));
    for (const error of await Promise.all(calls)) {
      expect(error).toBeInstanceOf(MilvusDeadlineExceededError);
      expect(error.message).toMatch(
        /did not end within its 100 ms: it waited for `credentials`\. It was not sent/,
      );
    }
    expect([vault.asked, stub.count()]).toEqual([1, 0]);
  });

  it('and throws when Milvus refuses the old ones fails the call with its reason', async () => {
    const { stub, vault } = run;
    const client = await add();
    vault.rotate();
    vault.instead = () => Promise.reject(new Error('the vault is sealed'));
    const errors = await Promise.all(times(10, () => failureOf(client.getVersion())));
    for (const error of errors) {
      expect(error).toBeInstanceOf(MilvusAuthenticationError);
      expect(error.message).toContain('the vault is sealed');
    }
    expect([vault.asked, stub.count('GetVersion')]).toEqual([2, 10]);
  });

  it('and hangs does not hold up a drain beyond its limit, nor the process', async () => {
    const { stub, vault } = run;
    vault.instead = never;
    const timers = () => process.getActiveResourcesInfo().filter(each => each === 'Timeout').length;
    const before = timers();
    const client = await add('search', lazy);
    const call = failureOf(client.getVersion());
    const report = await client.drain({ timeoutMs: 50 });
    expect(report.clients).toMatchObject([{ outcome: 'timedOut', cancelledCalls: 1 }]);
    expect(await call).toMatchObject({ code: 'MILVUS_CLOSED' });
    expect([stub.connectionsOpen, timers()]).toEqual([0, before]);
  });
});

describe('a background client', () => {
  it('comes up when its function does', async () => {
    const { vault, log } = run;
    vault.instead = () => Promise.reject(new Error('the vault is sealed'));
    const client = await add('search', { startup: { mode: 'background' } });
    await eventually(() => log.of('search').some(line => line.includes('not connected yet')));
    expect(log.of('search').join()).toContain('`credentials` function failed: the vault is sealed');
    vault.instead = undefined;
    await eventually(() => log.of('search').some(line => line.startsWith('log connected to')));
    expect(await client.getVersion()).toMatchObject({ version: 'v2.6.0-stub' });
  });

  it.each([
    ['hangs', never],
    ['throws', () => Promise.reject(new Error('the vault is sealed'))],
    [
      'throws when what it gave is refused',
      async () => {
        if (run.vault.asked > 1) throw new Error('the vault is sealed');
        return { token: 'token-old' };
      },
    ],
  ])('says so when its function %s, though others wait for the server', async (_how, instead) => {
    const { stub, vault, log } = run;
    const known = headerOf('token-first');
    stub.always('Connect', call => {
      if (call.metadata['authorization'] !== known) status(16, 'auth check failure')(call);
    });
    vault.instead = instead;
    const startup = { mode: 'background' as const, timeoutMs: 100 };
    for (const name of ['one', 'two'])
      await add(name, { startup, credentials: undefined, token: 'token-first' });
    const waits = (name: string) => log.of(name).filter(line => line.includes('not connected yet'));
    await eventually(() => waits('one').length + waits('two').length > 0);
    await add('asking', { startup });
    await eventually(() => waits('asking').length > 0);
    expect(waits('asking')[0]).toContain('`credentials`');
    expect([...waits('one'), ...waits('two')]).toHaveLength(1);
  });
});

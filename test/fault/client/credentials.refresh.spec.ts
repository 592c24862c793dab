import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { MilvusAuthenticationError, MilvusConfigurationError } from '../../../lib/index.js';
import { failureOf, gate } from '../../support/pooled-client.js';
import { until } from '../../support/stub-server.js';
import { add, beginRun, endRun, headerOf, headers, lazy, run } from './vault.js';

beforeEach(beginRun);
afterEach(endRun);

describe('registry.refreshCredentials()', () => {
  it('has later requests carry others, over the same connections, and leaves those on the way alone', async () => {
    const { stub, vault, registry } = run;
    const client = await add();
    const { opened, open } = gate();
    stub.next('GetVersion', until(opened));
    const early = client.getVersion();
    await stub.waitFor(s => s.count('GetVersion') === 1);
    vault.rotate();
    await registry.refreshCredentials('search');
    await client.getVersion();
    open();
    await early;
    expect(headers('GetVersion')).toEqual([headerOf('token-first'), headerOf(vault.valid)]);
    expect([stub.connectionsEver, vault.refusals - 1, vault.asked]).toEqual([1, 0, 2]);
  });

  it('without a name asks for all that have a function, and names each that gets none', async () => {
    const { vault, registry } = run;
    const sealed = () => Promise.reject(new Error('the vault is sealed'));
    await add('fine', lazy);
    await add('fixed', { ...lazy, credentials: undefined, token: 'a-fixed-token' });
    await registry.refreshCredentials();
    expect(vault.asked).toBe(1);

    for (const name of ['one', 'two']) await add(name, { ...lazy, credentials: sealed });
    const error = await failureOf<MilvusAuthenticationError>(registry.refreshCredentials());
    expect(error).toBeInstanceOf(MilvusAuthenticationError);
    expect(error.client).toBe('one, two');
    expect(error.message).toMatch(
      /^2 Milvus clients got no credentials:\n- .*"one".*sealed\n- .*"two".*sealed$/,
    );
    expect(vault.asked).toBe(2);
    const single = await failureOf(registry.refreshCredentials('two'));
    expect(single.message).toMatch(/^Milvus client "two": refreshCredentials failed: .*the vault is sealed$/);
  });

  it('keeps those there are when the function fails', async () => {
    const { vault, registry } = run;
    const client = await add();
    vault.instead = () => Promise.reject(new Error('the vault is sealed'));
    await failureOf(registry.refreshCredentials('search'));
    await client.getVersion();
    expect(headers('GetVersion')).toEqual([headerOf('token-first')]);
  });

  it('of credentials that are given by value, or of nobody, is an error', async () => {
    const { registry } = run;
    await add('fixed', { ...lazy, credentials: undefined, token: 'a-fixed-token' });
    const fixed = await failureOf(registry.refreshCredentials('fixed'));
    expect(fixed).toBeInstanceOf(MilvusConfigurationError);
    expect(fixed).toMatchObject({ client: 'fixed', code: 'MILVUS_CONFIGURATION' });
    expect(await failureOf(registry.refreshCredentials('gone'))).toMatchObject({ client: 'gone' });
  });
});

describe('the question how the server is', () => {
  const health = { intervalMs: 40, timeoutMs: 1_000 };
  const asking = (token: string) => headers('CheckHealth').filter(each => each === headerOf(token)).length;

  it('carries the credentials, leaves a server well that refuses them, and does not ask for others', async () => {
    const { stub, vault } = run;
    const client = await add('search', { health });
    await stub.waitFor(() => asking('token-first') >= 2);
    vault.rotate('token-second');
    const refused = vault.refusals;
    await stub.waitFor(() => vault.refusals >= refused + 3);
    expect([client.pool.state, client.pool.circuit.state, vault.asked]).toEqual(['ready', 'closed', 1]);
    await client.getVersion();
    await stub.waitFor(() => asking('token-second') >= 2);
  });

  it('is asked in the name of another client when one is refused', async () => {
    const { stub } = run;
    await add('search', { ...lazy, health, credentials: undefined, token: 'token-unknown' });
    const known = await add('known', { health });
    await known.getVersion();
    await stub.waitFor(() => asking('token-first') >= 3);
    expect(asking('token-unknown')).toBe(1);
    expect(known.pool.stats().endpoint.clients).toEqual(['search', 'known']);
  });
});

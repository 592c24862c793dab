import { afterEach, describe, expect, it } from '@jest/globals';
import type { TestingModule } from '@nestjs/testing';
import {
  getMilvusToken,
  MilvusClientExistsError,
  MilvusClientNotFoundError,
  MilvusClosedError,
  MilvusConfigurationError,
  MilvusModule,
  MilvusRegistry,
} from '../../lib/index.js';
import { bootApp, closeApps, RecordedLog } from '../support/nest-app.js';
import { failureOf } from '../support/pooled-client.js';
import { lazy } from './feature.js';

afterEach(closeApps);

async function boot(...names: string[]): Promise<{ app: TestingModule; log: RecordedLog }> {
  const log = new RecordedLog();
  const imports = names.map(name => MilvusModule.forRoot({ name, ...lazy() }));
  return { app: await bootApp({ imports }, { log }), log };
}

async function registryOf(...names: string[]): Promise<MilvusRegistry> {
  return (await boot(...names)).app.get(MilvusRegistry);
}

describe('MilvusRegistry', () => {
  it('gives clients by name, and "default" without one', async () => {
    const registry = await registryOf('default', 'read');

    expect(registry.get().name).toBe('default');
    expect(registry.get('read').name).toBe('read');
    expect([registry.has(), registry.has('read'), registry.has('write')]).toEqual([true, true, false]);
    expect(registry.list()).toEqual(['default', 'read']);
  });

  it('gives the very object that is injected', async () => {
    const { app } = await boot('default', 'read');
    const registry = app.get(MilvusRegistry);

    expect(registry.get()).toBe(app.get(getMilvusToken()));
    expect(registry.get('read')).toBe(app.get(getMilvusToken('read')));
    expect(await registry.getOrCreate('read')).toBe(registry.get('read'));
    expect(await registry.getOrCreate('read', lazy())).toBe(registry.get('read'));
  });

  it('says of an unknown name which ones there are', async () => {
    const registry = await registryOf('read', 'write');

    expect(() => registry.get('wirte')).toThrow(MilvusClientNotFoundError);
    expect(() => registry.get('wirte')).toThrow(/"wirte" not found\. Registered: "read", "write"/);
    expect(() => registry.get()).toThrow(/"default" not found/);
    expect(() => registry.get('toString')).toThrow(MilvusClientNotFoundError);
  });

  it('says so too when there is none', async () => {
    const registry = new MilvusRegistry();

    expect(registry.list()).toEqual([]);
    expect(() => registry.get()).toThrow(/Registered: none/);
    expect(await registry.close()).toEqual({ clean: true, durationMs: 0, clients: [] });
  });

  it('hands out a list of its own', async () => {
    const registry = await registryOf('read');
    registry.list().push('write');

    expect(registry.list()).toEqual(['read']);
  });

  it('tells of all clients and of who shares, in a frozen snapshot', async () => {
    const registry = await registryOf('read', 'write');
    await registry.add('noisy', { ...lazy(), pool: { dedicated: true } });
    const stats = registry.stats();

    expect(stats.clients).toEqual({
      read: { state: 'idle', calls: 0 },
      write: { state: 'idle', calls: 0 },
      noisy: { state: 'idle', calls: 0 },
    });
    expect(stats.endpoints).toMatchObject([
      { address: '127.0.0.1:1', state: 'idle', circuit: 'closed', clients: ['read', 'write'] },
      { address: '127.0.0.1:1', clients: ['noisy'] },
    ]);
    const frozen = [stats, stats.clients, stats.clients['read'], stats.endpoints, stats.endpoints[0]];
    expect(frozen.map(Object.isFrozen)).toEqual(frozen.map(() => true));
  });

  it.each([
    ['', '""'],
    ['two\nlines', '"two\\nlines"'],
    ['bell\u0007', '"bell\\u0007"'],
    ['delete\u007f', '"delete\u007f"'],
    ['x'.repeat(201), `"${'x'.repeat(50)}"`],
    [undefined, 'undefined'],
    [null, 'object'],
    [7, 'number'],
  ])('takes no name that would spoil a log: %j', async (name, shown) => {
    const registry = new MilvusRegistry();
    for (const method of ['add', 'getOrCreate'] as const) {
      const error = await failureOf(registry[method](name as string, lazy()));
      expect(error).toBeInstanceOf(MilvusConfigurationError);
      expect(error.message).toContain(`without control characters, but is ${shown}`);
    }
    expect(() => registry.register(name as string, lazy(), Symbol('a test'))).toThrow(
      MilvusConfigurationError,
    );
    expect([registry.list(), registry.stats().endpoints]).toEqual([[], []]);
  });

  it.each(['x'.repeat(200), 'mandant ä ⚙', '__proto__', 'constructor', ' '])(
    'takes any other name: %j',
    async name => {
      await using registry = new MilvusRegistry();
      const client = await registry.add(name, lazy());
      expect([registry.get(name) === client, registry.has(name), registry.list()]).toEqual([
        true,
        true,
        [name],
      ]);
      expect(Object.keys(registry.stats().clients)).toEqual([name]);
    },
  );
});

describe('remove()', () => {
  it('closes the client and frees its name at once', async () => {
    const registry = await registryOf('read', 'write');
    const client = registry.get('read');
    const removed = registry.remove('read');
    expect([registry.has('read'), registry.list()]).toEqual([false, ['write']]);

    expect(await removed).toMatchObject({ clean: true, clients: [{ client: 'read', outcome: 'clean' }] });
    expect([client.pool.state, registry.get('write').pool.state]).toEqual(['closed', 'idle']);
    const error = await failureOf(client.getVersion());
    expect(error).toBeInstanceOf(MilvusClosedError);
    expect(error).toMatchObject({ client: 'read', method: 'getVersion' });
  });

  it('of a client that a module declares says so in the log, and of others nothing', async () => {
    const { app, log } = await boot('read');
    const registry = app.get(MilvusRegistry);
    await registry.add('tenant', lazy());
    const before = log.lines.length;
    await registry.remove('tenant');
    await registry.remove('read');

    const said = log.lines.slice(before).filter(line => line.includes('[Milvus]'));
    expect(said).toEqual([
      expect.stringMatching(
        /^warn \[Milvus\] client "read" is removed, which MilvusModule\.forRoot \(read\) with address 127\.0\.0\.1:1 declares/,
      ),
    ]);
    await app.close();
  });

  it('of an unknown name is an error that lists the known ones', async () => {
    const registry = await registryOf('read');
    const error = await failureOf(registry.remove('write'));
    expect(error).toBeInstanceOf(MilvusClientNotFoundError);
    expect(error.message).toContain('Registered: "read"');
    await registry.remove('read');
    expect(await failureOf(registry.remove('read'))).toBeInstanceOf(MilvusClientNotFoundError);
  });

  it('twice at once: the second finds nobody', async () => {
    const registry = await registryOf('read');
    const [one, other] = await Promise.allSettled([registry.remove('read'), registry.remove('read')]);
    expect(one.status).toBe('fulfilled');
    expect((other as PromiseRejectedResult).reason).toBeInstanceOf(MilvusClientNotFoundError);
  });

  it('makes room for another client of the name; who holds the old one keeps getting MilvusClosedError', async () => {
    const registry = await registryOf('read', 'write');
    const old = registry.get('read');
    const removed = registry.remove('read');
    const client = await registry.add('read', { ...lazy(), database: 'other' });
    await removed;

    expect(client).not.toBe(old);
    expect([registry.get('read') === client, client.pool.state, registry.list()]).toEqual([
      true,
      'idle',
      ['write', 'read'],
    ]);
    expect(await failureOf(old.getVersion())).toBeInstanceOf(MilvusClosedError);
    expect(client.pool.stats().endpoint.clients).toEqual(['write', 'read']);
  });
});

describe('a client that a module declares', () => {
  it('stays when its holder ends it, closed as it is: it is injected all the same', async () => {
    const { app } = await boot('read');
    const registry = app.get(MilvusRegistry);
    const client = registry.get('read');
    await client.drain();
    expect([registry.get('read') === client, registry.list()]).toEqual([true, ['read']]);
    expect(registry.stats().clients).toEqual({ read: { state: 'closed', calls: 0 } });
    await registry.remove('read');
    expect((await registry.add('read', lazy())).pool.state).toBe('idle');
  });

  it('is not made a second time by the same module', () => {
    const registry = new MilvusRegistry();
    const module = Symbol('MilvusModule.forRoot (read)');
    registry.register('read', lazy(), module);
    expect(() => registry.register('read', lazy(), module)).toThrow(/request/);
    expect(() => registry.register('read', lazy(), Symbol('another'))).toThrow(MilvusClientExistsError);
    expect(registry.list()).toEqual(['read']);
  });
});

describe('close()', () => {
  it('ends every client in one report, the same for whoever asks', async () => {
    const registry = await registryOf('read', 'write');
    const clients = [registry.get('read'), registry.get('write')];
    const [one, other] = await Promise.all([registry.close(), registry.close({ drainTimeoutMs: 1 })]);

    expect(other).toBe(one);
    expect(one).toMatchObject({ clean: true, clients: [{ client: 'read' }, { client: 'write' }] });
    expect(Object.isFrozen(one)).toBe(true);
    expect(clients.map(({ pool }) => pool.state)).toEqual(['closed', 'closed']);
    expect(await registry.close()).toBe(one);
  });

  it.each([
    ['get("read")', (registry: MilvusRegistry) => registry.get('read')],
    ['get("default")', (registry: MilvusRegistry) => registry.get()],
    ['add("new")', (registry: MilvusRegistry) => registry.add('new', lazy())],
    ['getOrCreate("read")', (registry: MilvusRegistry) => registry.getOrCreate('read')],
    ['getOrCreate("new")', (registry: MilvusRegistry) => registry.getOrCreate('new', lazy())],
    ['register("new")', (registry: MilvusRegistry) => registry.register('new', lazy(), Symbol('a module'))],
    ['remove("read")', (registry: MilvusRegistry) => registry.remove('read')],
    ['use("use-1")', (registry: MilvusRegistry) => registry.use(lazy(), () => 'done')],
    ['refreshCredentials()', (registry: MilvusRegistry) => registry.refreshCredentials()],
    ['refreshCredentials("read")', (registry: MilvusRegistry) => registry.refreshCredentials('read')],
  ])('is the end: %s is refused from the moment it is called', async (call, method) => {
    const registry = await registryOf('read');
    const closed = registry.close();
    const during = await failureOf((async () => method(registry))());
    await closed;
    const after = await failureOf((async () => method(registry))());

    for (const error of [during, after]) {
      expect(error).toBeInstanceOf(MilvusClosedError);
      expect(error.message).toMatch(/^MilvusRegistry: .* was refused: the registry is closed/);
    }
    expect(during.message).toContain(call);
  });

  it('leaves what can be read', async () => {
    const registry = await registryOf('read');
    await registry.close();
    expect([registry.list(), registry.has('read')]).toEqual([['read'], true]);
    expect(registry.stats()).toEqual({ clients: { read: { state: 'closed', calls: 0 } }, endpoints: [] });
    await expect(registry[Symbol.asyncDispose]()).resolves.toBeUndefined();
  });

  it('is what `await using` does at the end of a block', async () => {
    let client: { pool: { state: string } };
    {
      await using registry = new MilvusRegistry();
      client = await registry.add('script', lazy());
    }
    expect(client.pool.state).toBe('closed');
  });

  it('leaves nothing to do for an application that ends later', async () => {
    const { app, log } = await boot('read');
    await app.get(MilvusRegistry).close();
    const before = log.lines.length;
    await app.close();
    expect(log.of('read').filter(line => line.includes('closed'))).toHaveLength(1);
    expect(log.lines.slice(before)).toEqual([]);
  });
});

describe('a name that is taken', () => {
  it('is refused with both of those who want it', async () => {
    const registry = await registryOf('read');
    const error = await failureOf(registry.add('read', { address: 'ann:lark-song@h:1' }));
    expect(error).toBeInstanceOf(MilvusClientExistsError);
    expect(error.message).toMatch(
      /"read" already exists: it is registered by MilvusModule\.forRoot \(read\) with address 127\.0\.0\.1:1 and again by registry\.add\(\)/,
    );
    expect(error.message).not.toContain('lark-song');
  });
});

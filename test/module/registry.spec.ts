import { afterEach, describe, expect, it } from '@jest/globals';
import { MilvusClientNotFoundError, MilvusModule, MilvusRegistry } from '../../lib/index.js';
import { bootApp, closeApps } from '../support/nest-app.js';
import { lazy } from './feature.js';

afterEach(closeApps);

async function registryOf(...names: string[]): Promise<MilvusRegistry> {
  const app = await bootApp({ imports: names.map(name => MilvusModule.forRoot({ name, ...lazy() })) });
  return app.get(MilvusRegistry);
}

describe('MilvusRegistry', () => {
  it('gives clients by name, and "default" without one', async () => {
    const registry = await registryOf('default', 'read');

    expect(registry.get().name).toBe('default');
    expect(registry.get('read').name).toBe('read');
    expect([registry.has(), registry.has('read'), registry.has('write')]).toEqual([true, true, false]);
    expect(registry.list()).toEqual(['default', 'read']);
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
});

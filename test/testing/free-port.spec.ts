import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { freePort, freePorts } from '../../lib/testing/free-port.js';

describe('freePort', () => {
  it('can be listened on', async () => {
    const server = createServer().listen(await freePort(), '127.0.0.1');
    await once(server, 'listening');
    server.close();
  });

  it('is none that the system gives to outgoing connections', async () => {
    for (const port of await freePorts(50)) {
      expect(port).toBeGreaterThanOrEqual(20_000);
      expect(port).toBeLessThan(32_768);
    }
  });

  it('gives different ones when several are wanted', async () => {
    expect(new Set(await freePorts(200)).size).toBe(200);
  });
});

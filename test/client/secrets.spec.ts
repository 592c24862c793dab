import { inspect } from 'node:util';
import { afterEach, describe, expect, it } from '@jest/globals';
import { closeClients, failureOf, pooledClient } from '../support/pooled-client.js';

const SECRET = 'hunter2';
const encoded = Buffer.from(`root:${SECRET}`).toString('base64');
const client = () => pooledClient('127.0.0.1:1', { username: 'root', password: SECRET });

afterEach(closeClients);

function expectNoSecret(printed: string): void {
  expect(printed.includes(SECRET)).toBe(false);
  expect(printed.includes(encoded)).toBe(false);
}

describe('a secret', () => {
  it('is in no error, however deep one looks', async () => {
    const each = client();
    const unreachable = await failureOf(each.ping({ timeoutMs: 100 }));
    await each.drain();
    const closed = await failureOf(each.ping());

    for (const error of [unreachable, closed]) {
      expectNoSecret(inspect(error, { depth: 20, showHidden: true }));
    }
  });

  it('is in no statistics and no report', async () => {
    const each = client();
    expectNoSecret(JSON.stringify([each.pool.stats(), each.pool.state, await each.drain()]));
  });

  it('is not shown by a log of the client or its pool', () => {
    const each = client();

    expectNoSecret(inspect(each.pool, { depth: 20 }));
    expectNoSecret(JSON.stringify(each.pool));
    expectNoSecret(inspect(each, { depth: 6 }));
  });
});

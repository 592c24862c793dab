import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { freePort } from '../../../lib/testing/free-port.js';

/** What `freePort` finds next: a port can be taken between the look and the start. */
const next: number[] = [];
jest.unstable_mockModule('../../../lib/testing/free-port.js', () => ({
  freePort: async () => next.shift() ?? freePort(),
}));
const { MilvusLite } = await import('../../../lib/testing/index.js');

beforeAll(() => MilvusLite.install(), 900_000);

describe('MilvusLite', () => {
  it('takes another port when the one it found was taken meanwhile', async () => {
    await using first = await MilvusLite.start();
    next.push(first.port);
    await using second = await MilvusLite.start();
    expect(next).toEqual([]);
    expect(second.port).not.toBe(first.port);
  });
});

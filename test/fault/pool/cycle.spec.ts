import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type Certificates, makeCertificates } from '../../support/certificates.js';
import { closeClients, pooledClient, times } from '../../support/pooled-client.js';
import { StubServer } from '../../support/stub-server.js';

/** How many clients come and go; `npm run soak:cycle` takes more. */
const CLIENTS = Number(process.env['CYCLE_CLIENTS'] ?? 30);

const AT_ONCE = 10;

let folder: string;
let certificates: Certificates;
let stub: StubServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cycle-'));
  certificates = await makeCertificates(folder);
  const { server, ca } = certificates;
  stub = await StubServer.start({ tls: { key: server.key.pem, cert: server.cert.pem, ca: ca.pem } });
});

afterEach(() => closeClients());

afterAll(async () => {
  await stub.stop();
  await rm(folder, { recursive: true });
});

/** Ended in good order, in the middle of connecting, or with a lease that nobody gave back. */
async function comeAndGo(nth: number): Promise<void> {
  const client = pooledClient(stub.address, {
    tls: { ca: certificates.ca.pem },
    pool: { minConnections: 1 + (nth % 3), acquireTimeoutMs: 60_000, connectTimeoutMs: 60_000 },
    timeouts: { readMs: 60_000 },
  });
  const forgets = nth % 7 === 0;
  if (nth % 5 === 0) client.connect();
  else await Promise.all(times(3, () => client.getVersion()));
  if (forgets) await client.pool.acquire({ timeoutMs: 60_000 });
  const { clients } = await client.drain({ timeoutMs: forgets ? 0 : 60_000 });
  expect(clients).toMatchObject([{ cancelledCalls: 0, heldLeases: forgets ? 1 : 0 }]);
  expect(client.pool.state).toBe('closed');
}

describe('clients that come and go under TLS', () => {
  it('leave no socket at the server', async () => {
    for (let made = 0; made < CLIENTS; made += AT_ONCE) {
      await Promise.all(times(AT_ONCE, index => comeAndGo(made + index)));
      // So that they can be collected.
      await closeClients();
    }
    await stub.waitFor(s => s.connectionsOpen === 0);

    expect(stub.connectionsEver).toBeGreaterThanOrEqual(CLIENTS * 0.8);
    // A handshake that its client ended is nothing to complain of.
    const complaints = stub.errors.filter(
      ({ code }: NodeJS.ErrnoException) => code !== 'ECONNRESET' && code !== 'EPIPE',
    );
    expect(complaints).toEqual([]);
  }, 1_800_000);
});

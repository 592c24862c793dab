import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import { Overtakes } from '../../support/overtakes.js';
import { times } from '../../support/pooled-client.js';
import { milvusService } from '../../support/stub-server.js';
import { Wire } from './wire.js';

const CALLERS = 100;
const CALLS = 3_000;

let server: Http2Server;
let wire: Wire;
let connection: Http2Connection;

beforeEach(async () => {
  // With the window that HTTP/2 begins with, 64 KB, which a Go server keeps: some twenty requests of 3 KB fill it.
  server = createServer();
  server.on('stream', stream => {
    stream.on('error', () => {});
    stream.on('end', () => {
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
    stream.resume();
  });
  await new Promise<void>(resolve => {
    server.listen(0, '127.0.0.1', resolve);
  });
  wire = new Wire();
  connection = await wire.connect(`127.0.0.1:${(server.address() as AddressInfo).port}`);
});

afterEach(async () => {
  await wire.end();
  await new Promise(resolve => server.close(resolve));
});

it('sends requests first come, first served, also those that the window of the server lets out only in part', async () => {
  const overtakes = new Overtakes();
  const request = {
    path: milvusService['Search']!.path,
    message: Buffer.alloc(3_100),
    metadata: {},
    timeoutMs: 60_000,
  };
  let begun = 0;
  let most = 0;

  await Promise.all(
    times(CALLERS, async () => {
      while (begun++ < CALLS) {
        const turn = overtakes.began();
        expect(await connection.send(request).outcome).toMatchObject({ ok: true });
        most = Math.max(most, overtakes.ended(turn));
      }
    }),
  );

  // With the priorities of RFC 7540, Node 20 lets thousands pass.
  expect(most).toBeLessThan(3 * CALLERS);
});

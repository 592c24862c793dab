import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { GrpcCode } from '../../../lib/transport/grpc-status.js';
import type { Http2Connection } from '../../../lib/transport/http2-connection.js';
import { hang, StubServer } from '../../support/stub-server.js';
import { Wire } from './wire.js';

let stub: StubServer;
let wire: Wire;
let connection: Http2Connection;

beforeEach(async () => {
  stub = await StubServer.start();
  wire = new Wire();
  connection = await wire.connect(stub.address);
});

afterEach(async () => {
  await wire.end();
  expect(stub.errors).toEqual([]);
  await stub.stop();
});

const values = [
  'a\nb',
  'a\r\nx-injected: 1',
  'a\0b',
  '\u0100',
  '\u010a',
  'データ',
  'é',
  ' a',
  'a ',
  '\t',
  '\x7f',
];
const names = ['Upper', 'with space', 'x:y', ':path', '', 'é', 'a\nb'];

describe('metadata that cannot be sent', () => {
  // Node ends the session over some of these, and leaves the header out or garbles it for others.
  it.each([...values.map(value => ({ dbname: value })), ...names.map(name => ({ [name]: 'x' }))])(
    'ends its own call, unsent, and no other: %j',
    async metadata => {
      stub.always('Search', hang());
      const neighbour = wire.send(connection, 'Search');
      expect(await wire.call(connection, 'GetVersion', { metadata })).toMatchObject({
        ok: false,
        code: GrpcCode.INVALID_ARGUMENT,
        message: expect.stringContaining('the request cannot be sent: the metadata'),
        processed: 'no',
        connectionDied: false,
        notGrpc: false,
        unreadable: false,
      });
      await wire.proveUsable(connection);
      expect([
        connection.inFlight,
        stub.count('GetVersion'),
        stub.calls('GetVersion')[0]!.metadata['dbname'],
      ]).toEqual([1, 1, undefined]);
      neighbour.cancel();
    },
  );

  it.each(['te', 'connection', 'transfer-encoding'])('ends its own call, unsent: %s', async name => {
    expect(await wire.call(connection, 'GetVersion', { metadata: { [name]: 'x' } })).toMatchObject({
      code: GrpcCode.INVALID_ARGUMENT,
      processed: 'no',
      connectionDied: false,
    });
    await wire.proveUsable(connection);
  });

  it('is not told in the message: it may be a token', async () => {
    const outcome = await wire.call(connection, 'GetVersion', { metadata: { authorization: 'secret\n' } });
    expect(outcome).toMatchObject({ message: expect.stringContaining('authorization') });
    expect(JSON.stringify(outcome)).not.toContain('secret');
  });

  it('of such a size that the server refuses it', async () => {
    const outcome = await wire.call(connection, 'GetVersion', { metadata: { big: 'x'.repeat(1_000_000) } });
    expect(outcome).toMatchObject({ ok: false });
  });
});

it('metadata of every printable character arrives', async () => {
  const printable = String.fromCharCode(...Array.from({ length: 94 }, (_, i) => 33 + i));
  const metadata = { printable, empty: '', 'with-spaces': 'a b  c', 'x_1.y-2': 'ok' };
  expect(await wire.call(connection, 'GetVersion', { metadata })).toMatchObject({ ok: true });
  expect(stub.calls('GetVersion')[0]!.metadata).toMatchObject(metadata);
});

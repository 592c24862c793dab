// What bench/fair-server is, where there is no Go: same arguments, same input, same answers. A process of its own, so that
// it costs the client no CPU time, and bare node:http2, so that it is not what is measured.
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { delay: { type: 'string' }, window: { type: 'string' } } });
const delayMs = Number(values.delay ?? 0);
const window = Number(values.window ?? 64 * 1024 * 1024);

const answers = new Map<string, Buffer>();

function respond(stream: ServerHttp2Stream, answer: Buffer): void {
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(answer);
}

const server = createServer({ settings: { initialWindowSize: window } });
server.on('session', session => session.setLocalWindowSize(window));
server.on('stream', (stream, headers) => {
  const answer = answers.get(String(headers[':path']));
  stream.on('error', () => {});
  stream.resume();
  stream.on('end', () => {
    if (!answer) stream.close();
    else if (delayMs === 0) respond(stream, answer);
    else setTimeout(() => respond(stream, answer), delayMs);
  });
});

createInterface({ input: process.stdin })
  .once('line', line => {
    const canned = JSON.parse(line) as Record<string, string>;
    for (const [path, frame] of Object.entries(canned)) answers.set(path, Buffer.from(frame, 'base64'));
    server.listen(0, '127.0.0.1', () => console.log(`127.0.0.1:${(server.address() as AddressInfo).port}`));
  })
  .once('close', () => process.exit());

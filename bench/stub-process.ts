// The server of bench/throughput: canned answers after a settable time. A process of its own, so that it costs the
// client no CPU time, and bare node:http2, so that it is not what is measured.
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { defaultAnswer, milvusService } from '../test/support/stub-answers.js';
import { frame } from '../test/support/stub-behaviours.js';

const answers = new Map<string, Buffer>();
for (const name of ['Connect', 'DescribeCollection', 'Search']) {
  const { path, responseSerialize } = milvusService[name]!;
  answers.set(path, frame(responseSerialize(defaultAnswer(name, { collection_name: 'bench' }))));
}

let delayMs = 0;

function respond(stream: ServerHttp2Stream, answer: Buffer): void {
  if (stream.destroyed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(answer);
}

const server = createServer({ settings: { initialWindowSize: 4 * 1024 * 1024 } });
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
server.listen(0, '127.0.0.1', () => process.send?.(`127.0.0.1:${(server.address() as AddressInfo).port}`));

process.on('message', (nextDelayMs: number) => {
  delayMs = nextDelayMs;
  process.send?.('ready');
});
process.on('disconnect', () => process.exit());

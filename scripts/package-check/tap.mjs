// A TCP relay between an application and Milvus that counts the application's connections, as the server sees them.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export class Tap {
  open = new Set();
  accepted = 0;

  static async to(port) {
    const tap = new Tap(port);
    tap.server.listen(0, '127.0.0.1');
    await once(tap.server, 'listening');
    return tap;
  }

  constructor(port) {
    this.server = createServer(socket => {
      const upstream = connect(port, '127.0.0.1');
      this.accepted += 1;
      this.open.add(socket);
      socket.once('close', () => this.open.delete(socket));
      for (const [one, other] of [
        [socket, upstream],
        [upstream, socket],
      ]) {
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.once('close', () => other.destroy());
      }
    });
  }

  get address() {
    return `127.0.0.1:${this.server.address().port}`;
  }

  /** Waits until the application has no connection any more. */
  async empties(timeoutMs) {
    const deadline = performance.now() + timeoutMs;
    while (this.open.size > 0) {
      if (performance.now() > deadline) {
        throw new Error(`${this.open.size} TCP connections to Milvus are still open after ${timeoutMs} ms`);
      }
      await sleep(20);
    }
  }

  close() {
    for (const socket of this.open) socket.destroy();
    this.server.close();
  }
}

/** An address where nothing listens. */
export async function deadAddress() {
  const tap = await Tap.to(0);
  const { address } = tap;
  tap.server.close();
  await once(tap.server, 'close');
  return address;
}

import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { afterAll } from '@jest/globals';

/** States of a connection that is over, or whose end only waits: TIME_WAIT, CLOSE and LISTEN, as the kernel writes them. */
const NO_CONNECTION = new Set(['06', '07', '0A']);
const OURS = /\/lib\/transport\//;

/** Local ports of the connections that the package's clients have now, in this test file. */
const ports = new Set<number>();
let everConnected = 0;

// Who opens a socket is known only then. The plain SDK leaves some to its servers for good, and those are not meant.
const { connect } = Socket.prototype;
Socket.prototype.connect = function (this: Socket, ...args: unknown[]): Socket {
  if (OURS.test(new Error().stack!)) {
    this.once('connect', () => {
      const port = this.localPort!;
      ports.add(port);
      everConnected++;
      this.once('close', () => ports.delete(port));
    });
  }
  return connect.apply(this, args as never);
} as typeof connect;

// Node's own modules are common to all test files of a worker.
afterAll(() => {
  Socket.prototype.connect = connect;
});

/** How many connections the package's clients have ever had, in this test file. */
export function connectionsEver(): number {
  return everConnected;
}

/**
 * Local ports of the connections which a server on this machine has with the package's clients of this test file, as the kernel
 * tells; none where there is no /proc.
 */
export async function socketsAtServer(port: number): Promise<number[]> {
  const rows = (await Promise.all(['tcp', 'tcp6'].map(readTable))).flat();
  return rows
    .filter(row => row.localPort === port && ports.has(row.remotePort) && !NO_CONNECTION.has(row.state))
    .map(({ remotePort }) => remotePort);
}

interface Row {
  localPort: number;
  remotePort: number;
  state: string;
}

async function readTable(name: string): Promise<Row[]> {
  const text = await readFile(`/proc/net/${name}`, 'utf8').catch(() => '');
  const [, ...lines] = text.trim().split('\n');
  return lines.map(line => {
    const [, local, remote, state] = line.trim().split(/\s+/) as [string, string, string, string];
    return { localPort: portOf(local), remotePort: portOf(remote), state };
  });
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1]!, 16);
}

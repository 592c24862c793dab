import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports a system gives to outgoing connections (Linux: from 32768; macOS, Windows: from 49152). A client that keeps
 * dialling a dead server's port on loopback would else now and then be given that port itself, connect to itself, and keep
 * the server from coming back.
 */
const FIRST = 20_000;
const END = 32_768;

const ATTEMPTS = 50;

/** A port of 127.0.0.1 on which nobody listens now. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(FIRST, END);
    if (await isFree(port)) return port;
  }
  throw new Error(
    `No free port on 127.0.0.1: ${ATTEMPTS} random ones from ${FIRST} to ${END - 1} are all taken.`,
  );
}

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen({ port, host: '127.0.0.1', exclusive: true });
    await once(server, 'listening');
    server.close();
    await once(server, 'close');
    return true;
  } catch {
    return false;
  }
}

import type { MilvusAddress } from '../options/resolved-options.js';
import { ConnectError } from '../transport/connect-error.js';

/**
 * How long an address may take before the next one is tried beside it, in ms. The "connection attempt delay" that
 * RFC 8305 recommends for the addresses of one host.
 */
const HEAD_START_MS = 250;

/**
 * One connection, to the first address that gives one. The next address is tried when one fails, and beside one that
 * takes long, so that an address that swallows packets costs a moment and not its whole time limit.
 *
 * @throws ConnectError that tells of all addresses
 */
export function connectToFirst<Connection extends { destroy(): void }>(
  addresses: MilvusAddress[],
  connect: (address: MilvusAddress, signal: AbortSignal) => Promise<Connection>,
  signal: AbortSignal,
): Promise<Connection> {
  const decided = new AbortController();
  const stop = AbortSignal.any([signal, decided.signal]);
  const failures: ConnectError[] = [];
  const untried = [...addresses];
  let underWay = 0;

  return new Promise((resolve, reject) => {
    let headStart: NodeJS.Timeout | undefined;

    const tryNext = (): void => {
      clearTimeout(headStart);
      const address = stop.aborted ? undefined : untried.shift();
      if (!address) {
        if (underWay === 0) reject(ConnectError.ofAll(failures));
        return;
      }
      underWay++;
      connect(address, stop).then(onConnected, onFailed);
      headStart = setTimeout(tryNext, HEAD_START_MS).unref();
    };
    const onConnected = (connection: Connection): void => {
      clearTimeout(headStart);
      // Another one was faster; this one was established before it could be stopped.
      if (decided.signal.aborted) return connection.destroy();
      decided.abort();
      resolve(connection);
    };
    const onFailed = (error: ConnectError): void => {
      underWay--;
      failures.push(error);
      tryNext();
    };
    tryNext();
  });
}

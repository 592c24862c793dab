import type { MilvusAddress } from '../options/resolved-options.js';
import { ConnectError } from '../transport/connect-error.js';

/**
 * How long an address may take before the next one is tried beside it, in ms. The "connection attempt delay" that
 * RFC 8305 recommends for the addresses of one host.
 */
const HEAD_START_MS = 250;

/**
 * A try that takes so long, in ms, may be lost for good, however soon the server is back: the addresses are tried once more beside it.
 * What works has taken a connection several times over by then.
 */
const ROUND_MS = 2_000;

/**
 * One connection, to the first address that gives one. The next address is tried when one fails, and beside one that
 * takes long, so that an address that swallows packets costs a moment and not its whole time limit.
 *
 * @param connect gets the time that it has, in ms
 * @param timeoutMs of each try; those of later rounds end with the first
 * @throws ConnectError that tells of all addresses
 */
export function connectToFirst<Connection extends { destroy(): void }>(
  addresses: MilvusAddress[],
  connect: (address: MilvusAddress, signal: AbortSignal, timeoutMs: number) => Promise<Connection>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Connection> {
  const endsAt = performance.now() + timeoutMs;
  const decided = new AbortController();
  const stop = AbortSignal.any([signal, decided.signal]);
  /** By address; the first of each had the most time. */
  const failures = new Map<MilvusAddress, ConnectError>();
  const untried: MilvusAddress[] = [];
  let underWay = 0;

  return new Promise((resolve, reject) => {
    let headStart: NodeJS.Timeout | undefined;
    let round: NodeJS.Timeout | undefined;

    let limitMs = timeoutMs;

    const startRound = (): void => {
      untried.push(...addresses);
      if (endsAt - performance.now() > 2 * ROUND_MS) round = setTimeout(nextRound, ROUND_MS).unref();
      tryNext();
    };

    const nextRound = (): void => {
      limitMs = Math.round(endsAt - performance.now());
      startRound();
    };
    const tryNext = (): void => {
      clearTimeout(headStart);
      const address = stop.aborted ? undefined : untried.shift();
      if (!address) {
        if (underWay > 0) return;
        clearTimeout(round);
        reject(ConnectError.ofAll([...failures.values()]));
        return;
      }
      underWay++;
      connect(address, stop, limitMs).then(onConnected, error => onFailed(address, error));
      headStart = setTimeout(tryNext, HEAD_START_MS).unref();
    };
    const onConnected = (connection: Connection): void => {
      clearTimeout(headStart);
      clearTimeout(round);
      // Another one was faster; this one was established before it could be stopped.
      if (decided.signal.aborted) return connection.destroy();
      decided.abort();
      resolve(connection);
    };
    const onFailed = (address: MilvusAddress, error: ConnectError): void => {
      underWay--;
      if (!failures.has(address)) failures.set(address, error);
      tryNext();
    };
    startRound();
  });
}

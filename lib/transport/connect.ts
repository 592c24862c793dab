import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { describeAddress } from '../options/address.js';
import type { MilvusAddress, ResolvedTls } from '../options/resolved-options.js';
import {
  ConnectError,
  type ConnectProgress,
  expectsTls,
  explainConnectFailure,
  mayExpectTls,
} from './connect-error.js';
import { expectIdentity } from './tls-identity.js';
import { speaksTls } from './tls-probe.js';

export interface ConnectOptions {
  address: MilvusAddress;
  /** Absent: plain text. */
  tls?: ResolvedTls;
  /** Limit of name lookup, TCP, TLS and HTTP/2 settings together, in ms. */
  connectTimeoutMs: number;
}

export interface ConnectedSession {
  session: ClientHttp2Session;
  socket: Socket;
}

/** Without this, answers of megabytes crawl: HTTP/2 starts with 64 KB per stream. */
const STREAM_WINDOW_BYTES = 4 * 1024 * 1024;
const CONNECTION_WINDOW_BYTES = 8 * 1024 * 1024;
/**
 * RFC 9218: streams have no priorities. Without it the HTTP/2 of Node 20 and of early 22 puts a request that the server's window
 * lets out only in part behind every later one, thousands of them under load: first come, first served is what it does with it.
 */
const NO_RFC7540_PRIORITIES = 9;
/** Longest that is spent on a better explanation of a failure; the next try to connect waits for it. */
const TLS_PROBE_MS = 500;
/**
 * In MB; as good as none. With more than 10 MB of requests on their way out Node would by default reset every answer that
 * arrives on the connection.
 */
const SESSION_MEMORY_MB = 1_000_000;

/**
 * Opens one HTTP/2 connection and waits until the server has sent its settings, the first thing any HTTP/2 server
 * says: only then is it known to be one.
 *
 * @throws ConnectError, and nothing else; the socket is closed then
 */
export async function connectSession(
  options: ConnectOptions,
  signal: AbortSignal,
): Promise<ConnectedSession> {
  const { address, connectTimeoutMs } = options;
  const progress: ConnectProgress = { connected: false, secured: false };
  const endMs = performance.now() + connectTimeoutMs;
  try {
    return await openSession(options, progress, signal);
  } catch (error) {
    // A server that expects TLS hangs up on plain text without a word, as one does that is not ready. Trying again helps
    // only with the latter, so it is asked.
    const refusal = error as ConnectError;
    const probeMs = Math.min(TLS_PROBE_MS, endMs - performance.now());
    if (!options.tls && mayExpectTls(refusal, progress) && (await speaksTls(address, probeMs, signal))) {
      throw expectsTls(describeAddress(address), refusal);
    }
    throw error;
  }
}

function openSession(
  options: ConnectOptions,
  progress: ConnectProgress,
  signal: AbortSignal,
): Promise<ConnectedSession> {
  const { address, tls, connectTimeoutMs } = options;
  const where = { address: describeAddress(address), tls: tls !== undefined };

  return new Promise((resolve, reject) => {
    let socket: Socket;
    try {
      socket = openSocket(options, progress);
    } catch (error) {
      // Node looks at certificate and key at once.
      reject(unusableTls(where.address, error as Error));
      return;
    }
    const session = connectHttp2(`${tls ? 'https' : 'http'}://${where.address}`, {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        customSettings: { [NO_RFC7540_PRIORITIES]: 1 },
      },
      maxSessionMemory: SESSION_MEMORY_MB,
    });

    // 'error' may come at any time, also between this function and its caller; whoever listens hears of it by 'close'.
    session.on('error', () => {});
    socket.on('error', () => {});

    const fail = (error: ConnectError) => {
      stopListening();
      session.destroy();
      socket.destroy();
      reject(error);
    };
    const onError = (error?: Error) => fail(explainConnectFailure(error, where, progress));
    const onClose = () => fail(explainConnectFailure(undefined, where, progress));
    const onAbort = () => fail(new ConnectError(`${where.address}: no longer needed`, 'cancelled', ''));
    const onSettings = () => {
      stopListening();
      session.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
      resolve({ session, socket });
    };
    const timer = setTimeout(() => fail(timeoutError(where, progress, connectTimeoutMs)), connectTimeoutMs);
    const stopListening = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      session.off('error', onError).off('close', onClose).off('remoteSettings', onSettings);
      socket.off('error', onError);
    };

    // A server that refuses the client's certificate does so after the handshake, and the session never tells.
    socket.once('error', onError);
    session.once('error', onError).once('close', onClose).once('remoteSettings', onSettings);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

function openSocket(
  { address: { host, port }, tls }: ConnectOptions,
  progress: ConnectProgress,
): Socket | TLSSocket {
  const socket = tls
    ? connectTls({
        host,
        port,
        ca: tls.ca,
        cert: tls.cert,
        key: tls.key,
        rejectUnauthorized: tls.rejectUnauthorized,
        ALPNProtocols: ['h2'],
        ...expectIdentity(tls.serverName ?? host),
      })
    : connectTcp({ host, port });
  socket.setNoDelay(true);
  socket.once('connect', () => {
    progress.connected = true;
  });
  socket.once('secureConnect', () => {
    progress.secured = true;
  });
  return socket;
}

function unusableTls(address: string, cause: Error): ConnectError {
  return new ConnectError(
    `${address}: the TLS settings cannot be used: ${cause.message}`,
    'tls',
    'Check `tls.ca`, `tls.cert` and `tls.key`: the key must be the one of the certificate',
    cause,
  );
}

function timeoutError(
  where: { address: string; tls: boolean },
  progress: ConnectProgress,
  ms: number,
): ConnectError {
  const stage = !progress.connected
    ? 'nothing answered'
    : where.tls && !progress.secured
      ? 'the TLS handshake did not finish'
      : 'a connection was accepted, but the server did not say anything';
  return new ConnectError(
    `${where.address}: ${stage} within pool.connectTimeoutMs (${ms} ms)`,
    'timeout',
    progress.connected
      ? 'Check that the port in `address` is the one of Milvus, and that Milvus is not overloaded'
      : 'Check host and port in `address`, firewalls and network policies',
  );
}

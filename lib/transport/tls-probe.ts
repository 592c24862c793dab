import { connect } from 'node:tls';
import type { MilvusAddress } from '../options/resolved-options.js';
import { expectIdentity } from './tls-identity.js';

/** TLS's own way to say no, as to a client without certificate: who says it speaks TLS. */
const ALERT = /^ERR_SSL_(SSLV3|TLSV1|TLSV13)_/;

/** Whether TLS is spoken at an address. Nothing is sent but the greeting of a handshake. Never rejects. */
export function speaksTls(
  { host, port }: MilvusAddress,
  limitMs: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (signal.aborted) return Promise.resolve(false);
  return new Promise(resolve => {
    const socket = connect({
      host,
      port,
      ALPNProtocols: ['h2'],
      ...expectIdentity(host),
      rejectUnauthorized: false,
    });
    const end = (answer: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', no);
      socket.destroy();
      resolve(answer);
    };
    const no = () => end(false);
    const timer = setTimeout(no, limitMs);
    signal.addEventListener('abort', no, { once: true });
    // Never taken off: an error may follow the answer.
    socket.on('error', (error: NodeJS.ErrnoException) => end(ALERT.test(error.code ?? '')));
    socket.once('secureConnect', () => end(true)).once('close', no);
  });
}

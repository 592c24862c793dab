import { isIP } from 'node:net';
import { type ConnectionOptions, checkServerIdentity } from 'node:tls';

/**
 * Whom a client expects at the other end: the name it says in its greeting (SNI), by which a server with several certificates
 * and a gateway with several Milvus behind it choose, and the name that the certificate must be for. Node says none by itself.
 *
 * @param name a host name or an IP address
 */
export function expectIdentity(name: string): Pick<ConnectionOptions, 'servername' | 'checkServerIdentity'> {
  return {
    // RFC 6066, 3: no IP address, no dot at the end.
    ...(isIP(name) === 0 && { servername: name.replace(/\.$/, '') }),
    checkServerIdentity: (_dialled, certificate) => checkServerIdentity(name, certificate),
  };
}

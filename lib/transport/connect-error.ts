/** Why no connection could be made. */
export type ConnectFailure =
  /** The time limit passed. */
  | 'timeout'
  /** Nobody listens there, no route, the peer reset: may be over soon. */
  | 'unreachable'
  /** The host name is not known. */
  | 'name-not-found'
  /** TLS was refused by one of the two sides. */
  | 'tls'
  /** Somebody listens, but does not speak HTTP/2. */
  | 'not-http2'
  /** The connection was not wanted any more. */
  | 'cancelled';

/** A failed try to connect, in terms of the network alone: it knows the address, not the client. */
export class ConnectError extends Error {
  constructor(
    message: string,
    readonly failure: ConnectFailure,
    /** What the reader of the message can do. */
    readonly remedy: string,
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'ConnectError';
  }

  /** One error of the tries of several addresses: it names them all, and is permanent only if all of them are. */
  static ofAll(errors: ConnectError[]): ConnectError {
    const [first, ...others] = errors;
    if (first === undefined || others.length === 0)
      return first ?? new ConnectError('no address', 'cancelled', '');
    const { failure } = errors.find(error => !error.permanent) ?? first;
    const messages = errors.map(({ message }) => message).join('; ');
    const remedies = [...new Set(errors.map(({ remedy }) => remedy))].join('. ');
    return new ConnectError(messages, failure, remedies, new AggregateError(errors));
  }

  /** Whether trying again, without anybody changing a setting, is unlikely to help. */
  get permanent(): boolean {
    return this.failure === 'tls' || this.failure === 'not-http2';
  }
}

/** What a connection was doing when it failed; decides what a bare "connection reset" means. */
export interface ConnectProgress {
  /** TCP is up. */
  connected: boolean;
  /** TLS is up. */
  secured: boolean;
}

const notHttp2Codes = new Set([
  'ERR_HTTP2_ERROR',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
]);

const unreachableCodes = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'EHOSTDOWN', 'ENETDOWN']);

/** Tells the failures of one try apart, and says what to do about each. */
export function explainConnectFailure(
  cause: NodeJS.ErrnoException | undefined,
  where: { address: string; tls: boolean },
  progress: ConnectProgress,
): ConnectError {
  const { address, tls } = where;
  const code = innermostCode(cause);
  const detail = describe(cause);
  const make = (failure: ConnectFailure, what: string, remedy: string) =>
    new ConnectError(`${address}: ${what}${detail}`, failure, remedy, cause);

  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return make('name-not-found', 'the host name cannot be resolved', 'Check the host in `address`, and DNS');
  }
  if (!progress.connected) {
    const remedy = unreachableCodes.has(code ?? '')
      ? 'Check that Milvus runs and that host and port in `address` are right'
      : 'Check the network between the application and Milvus';
    return make('unreachable', 'nothing accepts connections', remedy);
  }
  if (notHttp2Codes.has(code ?? '')) {
    return make(
      'not-http2',
      'the server does not speak HTTP/2, so it is not Milvus',
      `Check the port in \`address\`${tls ? '' : '; if the server expects TLS, use https:// or `tls`'}`,
    );
  }
  if (tls && (!progress.secured || code?.startsWith('ERR_SSL'))) return explainTlsFailure(code, make);
  return make(
    'unreachable',
    'the server closed the connection before it was usable',
    tls
      ? 'Check that the server is ready and accepts this client certificate'
      : 'Check that the server is ready; if it expects TLS, use https:// or `tls`',
  );
}

function explainTlsFailure(
  code: string | undefined,
  make: (failure: ConnectFailure, what: string, remedy: string) => ConnectError,
): ConnectError {
  switch (code) {
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
    case 'EPROTO':
      return make(
        'tls',
        'the server does not speak TLS',
        'Use http:// or leave `tls` out, or turn TLS on in Milvus',
      );
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return make(
        'tls',
        "the server's certificate is for another name",
        'Set `tls.serverName` to a name in the certificate, or fix the host in `address`',
      );
    case 'ERR_SSL_TLSV1_UNRECOGNIZED_NAME':
      return make(
        'tls',
        'the server has no certificate for this name',
        'Set `tls.serverName` to a name that the server knows, or fix the host in `address`',
      );
    case 'CERT_HAS_EXPIRED':
      return make(
        'tls',
        "the server's certificate has expired",
        'Renew the certificate of Milvus, or check the clock here',
      );
    case 'CERT_NOT_YET_VALID':
      return make(
        'tls',
        "the server's certificate is not valid yet",
        'Check the clock here, and the certificate of Milvus',
      );
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED':
      return make('tls', 'the client certificate has expired', 'Renew `tls.cert` and `tls.key`');
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'CERT_SIGNATURE_FAILURE':
      return make(
        'tls',
        "the server's certificate is not signed by a trusted authority",
        'Set `tls.ca` to the authority that signed it',
      );
    case 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED':
    case 'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE': // what Go's TLS, and so Milvus, says of none at all
    case 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA':
    case 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN':
      return make(
        'tls',
        'the server wants a client certificate that it trusts',
        'Set `tls.cert` and `tls.key` to one that the authority of Milvus (caPemPath) signed',
      );
    case 'ECONNRESET':
    case undefined:
      return make(
        // Also what a load balancer does while it has no Milvus behind it: trying again may help.
        'unreachable',
        'the server ended the TLS handshake',
        'Check that the port speaks TLS, and whether it wants a client certificate (`tls.cert`, `tls.key`)',
      );
    default:
      return make(
        'tls',
        'the TLS handshake failed',
        'Check `tls.ca`, `tls.cert`, `tls.key` and `tls.serverName` against the settings of Milvus',
      );
  }
}

/** Whether a failure in plain text may come of a server that expects TLS: somebody listens, and wants none of it. */
export function mayExpectTls({ failure }: ConnectError, { connected }: ConnectProgress): boolean {
  return connected && (failure === 'unreachable' || failure === 'not-http2');
}

/** The server was found to speak TLS, and was addressed in plain text. */
export function expectsTls(address: string, refusal: ConnectError): ConnectError {
  const remedy = 'Use https:// in `address`, or set `tls`';
  return new ConnectError(`${address}: the server expects TLS`, 'tls', remedy, refusal);
}

/** OpenSSL's messages are a line of addresses and file names; its reason is the part for people. */
function describe(cause: (Error & { reason?: unknown }) | undefined): string {
  const text = typeof cause?.reason === 'string' ? cause.reason : cause?.message;
  return text ? `: ${text}` : '';
}

/** `net` reports several addresses of one host as an AggregateError. */
function innermostCode(error: (Error & { code?: string }) | undefined): string | undefined {
  if (error?.code === undefined && error instanceof AggregateError) return error.errors[0]?.code;
  return error?.code;
}

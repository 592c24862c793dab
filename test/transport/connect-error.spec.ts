import { describe, expect, it } from '@jest/globals';
import { ConnectError, explainConnectFailure } from '../../lib/transport/connect-error.js';

const plain = { address: 'milvus:19530', tls: false };
const secure = { address: 'milvus:19530', tls: true };
const nothing = { connected: false, secured: false };
const connected = { connected: true, secured: false };
const secured = { connected: true, secured: true };

const coded = (code: string) => Object.assign(new Error(`${code} somewhere`), { code });

describe('why no connection could be made', () => {
  it.each([
    ['ENOTFOUND', plain, nothing, 'name-not-found', /cannot be resolved/, /DNS/],
    ['EAI_AGAIN', secure, nothing, 'name-not-found', /cannot be resolved/, /DNS/],
    ['ECONNREFUSED', plain, nothing, 'unreachable', /nothing accepts/, /Check that Milvus runs/],
    ['EHOSTUNREACH', secure, nothing, 'unreachable', /nothing accepts/, /Check that Milvus runs/],
    ['ETIMEDOUT', plain, nothing, 'unreachable', /nothing accepts/, /network/],
    ['ECONNRESET', plain, connected, 'unreachable', /closed the connection/, /if it expects TLS/],
    ['ECONNRESET', secure, connected, 'unreachable', /ended the TLS handshake/, /client certificate/],
    ['ECONNRESET', secure, secured, 'unreachable', /closed the connection/, /client certificate/],
    ['ERR_HTTP2_ERROR', plain, connected, 'not-http2', /not speak HTTP\/2/, /if the server expects TLS/],
    ['ERR_HTTP2_ERROR', secure, secured, 'not-http2', /not speak HTTP\/2/, /^Check the port in `address`$/],
    ['ERR_HTTP2_SESSION_ERROR', plain, connected, 'not-http2', /not speak HTTP\/2/, /Check the port/],
    [
      'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL',
      secure,
      connected,
      'not-http2',
      /not speak HTTP\/2/,
      /Check the port/,
    ],
    ['EPROTO', secure, connected, 'tls', /does not speak TLS/, /Use http:/],
    ['ERR_SSL_WRONG_VERSION_NUMBER', secure, connected, 'tls', /does not speak TLS/, /Use http:/],
    ['ERR_TLS_CERT_ALTNAME_INVALID', secure, connected, 'tls', /another name/, /tls.serverName/],
    [
      'ERR_SSL_TLSV1_UNRECOGNIZED_NAME',
      secure,
      connected,
      'tls',
      /no certificate for this name/,
      /tls.serverName/,
    ],
    ['CERT_HAS_EXPIRED', secure, connected, 'tls', /server's certificate has expired/, /Renew.* clock/],
    ['CERT_NOT_YET_VALID', secure, connected, 'tls', /not valid yet/, /clock/],
    [
      'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
      secure,
      secured,
      'tls',
      /client certificate has expired/,
      /tls.cert/,
    ],
    ['SELF_SIGNED_CERT_IN_CHAIN', secure, connected, 'tls', /trusted authority/, /tls.ca/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', secure, connected, 'tls', /trusted authority/, /tls.ca/],
    [
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      secure,
      secured,
      'tls',
      /wants a client certificate/,
      /tls.cert/,
    ],
    ['ERR_SSL_SOMETHING_ELSE', secure, secured, 'tls', /handshake failed/, /tls.ca/],
    ['ERR_SSL_SOMETHING_ELSE', secure, connected, 'tls', /handshake failed/, /tls.ca/],
  ] as const)('%s, %j, %j', (code, where, progress, failure, message, remedy) => {
    const cause = coded(code);
    const error = explainConnectFailure(cause, where, progress);
    expect(error).toBeInstanceOf(ConnectError);
    expect([error.failure, error.cause]).toEqual([failure, cause]);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^milvus:19530: .*somewhere$/);
    expect(error.remedy).toMatch(remedy);
  });

  it('knows the end of a connection that came without an error', () => {
    expect(explainConnectFailure(undefined, plain, connected).failure).toBe('unreachable');
    expect(explainConnectFailure(undefined, secure, connected).failure).toBe('unreachable');
    expect(explainConnectFailure(undefined, secure, secured).failure).toBe('unreachable');
    expect(explainConnectFailure(undefined, plain, nothing).failure).toBe('unreachable');
  });

  it('reads what net says of a host with several addresses', () => {
    const cause = new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]);
    expect(explainConnectFailure(cause, plain, nothing).remedy).toMatch(/Check that Milvus runs/);
    expect(() => explainConnectFailure(new AggregateError([]), plain, nothing)).not.toThrow();
  });

  it('tells what waiting does not mend', () => {
    const permanent = ['timeout', 'unreachable', 'name-not-found', 'tls', 'not-http2', 'cancelled'] as const;
    expect(permanent.filter(failure => new ConnectError('m', failure, '').permanent)).toEqual([
      'tls',
      'not-http2',
    ]);
  });
});

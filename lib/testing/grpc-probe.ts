import { connect, type SecureClientSessionOptions } from 'node:http2';

/** How to reach the server that is asked. */
export interface ProbeOptions {
  /** 1000 unless said otherwise; connecting included. */
  timeoutMs?: number;
  /** `user:password` or a token, in clear. */
  credentials?: string;
  /** Asks over TLS. */
  tls?: Pick<SecureClientSessionOptions, 'ca' | 'cert' | 'key' | 'servername'>;
}

/** What the server said, whether yes or no. */
export interface ProbeAnswer {
  status: number;
  message: string;
  /** The first response message, undecoded; empty when there is none. */
  body: Buffer;
}

const SERVICE = '/milvus.proto.milvus.MilvusService';
const EMPTY_MESSAGE = Buffer.alloc(5);
const FRAME_HEADER_LENGTH = 5;

/**
 * Calls one Milvus RPC with an empty request over a connection of its own. Rejects when no gRPC answer came. It leans on nothing
 * else of this library, so that it can tell a fault of the server from one of ours.
 */
export function probe(address: string, rpc: string, options: ProbeOptions = {}): Promise<ProbeAnswer> {
  const { timeoutMs = 1000, credentials, tls } = options;
  return new Promise((resolve, reject) => {
    const session = connect(`${tls ? 'https' : 'http'}://${address}`, { ...tls });
    const end = (settle: () => void) => {
      clearTimeout(timer);
      settle();
      session.destroy();
    };
    const fail = (error: Error) => end(() => reject(error));
    const timer = setTimeout(
      () => fail(new Error(`${address} gave no answer to ${rpc} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    session.on('error', fail);

    const stream = session.request({
      ':method': 'POST',
      ':path': `${SERVICE}/${rpc}`,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(credentials !== undefined && { authorization: Buffer.from(credentials).toString('base64') }),
    });
    const chunks: Buffer[] = [];
    let outcome: Record<string, unknown> = {};
    stream.on('error', fail);
    stream.on('response', headers => {
      outcome = headers;
    });
    stream.on('trailers', trailers => {
      outcome = trailers;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const status = outcome['grpc-status'];
      if (status === undefined) return fail(new Error(`${address} answered, but not as a gRPC server does`));
      const frame = Buffer.concat(chunks);
      end(() =>
        resolve({
          status: Number(status),
          message: decoded(String(outcome['grpc-message'] ?? '')),
          body: frame.subarray(FRAME_HEADER_LENGTH),
        }),
      );
    });
    stream.on('close', () => fail(new Error(`${address} closed the connection without an answer to ${rpc}`)));
    stream.end(EMPTY_MESSAGE);
  });
}

/** It is percent-encoded, but not by every server. */
function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

import type { OutgoingHttpHeaders } from 'node:http2';
import type { UnaryRequest } from './attempt.js';
import { formatGrpcTimeout } from './unary-framing.js';

/**
 * Exactly this content-type: a full Milvus multiplexes its port on it, and a call with `application/grpc+proto` hangs
 * for ever there.
 */
const CONTENT_TYPE = 'application/grpc';

/**
 * Metadata as gRPC allows it. Node destroys the whole session over a bad name, and garbles a bad value or leaves it out:
 * a call would go to another database.
 */
const METADATA_NAME = /^[\da-z_.-]+$/;
const METADATA_VALUE = /^([!-~]([ -~]*[!-~])?)?$/;

/**
 * The headers of one gRPC request.
 *
 * @throws Error that names a piece of metadata which cannot be sent, and not its value: that may be a token
 */
export function requestHeaders(
  { path, metadata, timeoutMs }: UnaryRequest,
  target: { scheme: string; authority: string },
): OutgoingHttpHeaders {
  for (const name of Object.keys(metadata)) {
    if (METADATA_NAME.test(name) && METADATA_VALUE.test(metadata[name]!)) continue;
    throw new Error(`the metadata ${JSON.stringify(name)} is no name, or its value is not printable ASCII`);
  }
  return {
    ':method': 'POST',
    ':scheme': target.scheme,
    ':authority': target.authority,
    ':path': path,
    te: 'trailers',
    'content-type': CONTENT_TYPE,
    'user-agent': 'nestjs-milvus',
    'grpc-timeout': formatGrpcTimeout(timeoutMs),
    'grpc-accept-encoding': 'identity,gzip',
    ...metadata,
  };
}

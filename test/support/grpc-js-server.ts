import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { defaultAnswer, type Message, milvusService } from './stub-answers.js';
import { Waiters } from './stub-waiters.js';

export interface GrpcJsCall {
  rpc: string;
  /** ASCII metadata; of several values the first. */
  metadata: Record<string, string>;
  request: Message;
  /** As grpc-js understood grpc-timeout: epoch milliseconds, or Infinity. */
  deadlineMs: number;
  /** Whether the server learned of a cancellation or of the deadline. */
  cancelled: boolean;
  atMs: number;
}

export interface GrpcJsServer {
  /** host:port */
  address: string;
  received: GrpcJsCall[];
  waitFor(predicate: (received: GrpcJsCall[]) => boolean, timeoutMs?: number): Promise<void>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}

export interface GrpcJsServerOptions {
  port?: number;
  tls?: { key: string | Buffer; cert: string | Buffer; ca?: string | Buffer; requestCert?: boolean };
}

/**
 * A server by other hands: the real @grpc/grpc-js with Milvus's service. Each RPC answers well, unless its metadata says
 * otherwise: `x-status` (a gRPC code) with `x-message` (percent-encoded), `x-hang` (never answers), and for Search
 * `x-answer-bytes` (about so large an answer). It decodes gzip requests; grpc-js servers cannot send gzip.
 */
export async function startGrpcJsServer(options: GrpcJsServerOptions = {}): Promise<GrpcJsServer> {
  const server = new Server({
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  const received: GrpcJsCall[] = [];
  const waiters = new Waiters(received, () => JSON.stringify(received.map(({ rpc }) => rpc)));
  const implementation: UntypedServiceImplementation = {};
  for (const rpc of Object.keys(milvusService)) {
    implementation[rpc] = (call: ServerUnaryCall<Message, Message>, answer: sendUnaryData<Message>) => {
      const record = recordOf(rpc, call);
      received.push(record);
      let answered = false;
      call.once('cancelled', () => {
        // grpc-js says so of every call whose stream has closed, answered or not.
        record.cancelled = !answered;
        waiters.changed();
      });
      waiters.changed();
      reply(record, (...outcome) => {
        answered = true;
        answer(...outcome);
      });
    };
  }
  server.addService(unaryOnly() as unknown as ServiceDefinition, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials(options.tls), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    received,
    waitFor: (predicate, timeoutMs) => waiters.waitFor(predicate, timeoutMs),
    stop: async () => {
      server.forceShutdown();
      await new Promise<void>(resolve => {
        server.tryShutdown(() => resolve());
      });
      waiters.stop();
    },
  };
}

function unaryOnly() {
  return Object.fromEntries(
    Object.entries(milvusService).filter(
      ([, { requestStream, responseStream }]) => !requestStream && !responseStream,
    ),
  );
}

function credentials(tls: GrpcJsServerOptions['tls']): ServerCredentials {
  if (!tls) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(
    tls.ca === undefined ? null : Buffer.from(tls.ca),
    [{ private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.cert) }],
    tls.requestCert,
  );
}

function recordOf(rpc: string, call: ServerUnaryCall<Message, Message>): GrpcJsCall {
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(call.metadata.getMap())) metadata[key] = String(value);
  return {
    rpc,
    metadata,
    request: call.request,
    deadlineMs: Number(call.getDeadline()),
    cancelled: false,
    atMs: performance.now(),
  };
}

function reply({ rpc, metadata, request }: GrpcJsCall, answer: sendUnaryData<Message>): void {
  if (metadata['x-hang'] !== undefined) return;
  if (metadata['x-status'] !== undefined) {
    const details = decodeURIComponent(metadata['x-message'] ?? '');
    answer({ code: Number(metadata['x-status']), details, metadata: new Metadata() });
    return;
  }
  const good = defaultAnswer(rpc, request);
  const bytes = Number(metadata['x-answer-bytes'] ?? 0);
  answer(null, bytes > 0 && rpc === 'Search' ? withText(good, 'x'.repeat(bytes)) : good);
}

function withText(answer: Message, text: string): Message {
  const column = {
    field_name: 'text',
    type: 'VarChar',
    field_id: 102,
    scalars: { string_data: { data: [text] } },
  };
  const results = answer['results'] as { fields_data: Message[] };
  return { ...answer, results: { ...results, fields_data: [...results.fields_data, column] } };
}

import type { MilvusClient } from '@zilliz/milvus2-sdk-node';
import type { Rpc, RpcMethod } from '../endpoint/rpc.js';
import { repeatabilityOf } from '../endpoint/rpc-catalogue.js';

/** Sends one RPC for somebody. A callback, as the SDK gives one: a promise more would cost each call what it costs. */
export type SendRpc = (rpc: Rpc, done: RpcCallback) => void;

export type RpcCallback = (error: unknown, answer?: object) => void;

/**
 * What stands in `client.channelPool`. The SDK takes an object out of it, calls `object[Rpc](…)` and puts it back.
 * Here the channel is that object itself: what is pooled are connections, and no call holds one.
 */
export interface RpcChannel {
  acquire(): Promise<RpcChannel>;
  release(): void;
  drain(): Promise<void>;
  clear(): Promise<void>;
}

export interface MilvusService {
  /** The unary RPCs that the SDK knows, by name. */
  readonly methods: ReadonlyMap<string, RpcMethod>;
  readonly Channel: new (send: SendRpc) => RpcChannel;
}

/** The parts of a grpc-js service definition that matter here. */
type ServiceDefinition = Record<
  string,
  {
    path: string;
    requestStream: boolean;
    responseStream: boolean;
    requestSerialize(request: object): Buffer;
    responseDeserialize(message: Buffer): object;
  }
>;

/** grpc-js metadata, of whatever copy of grpc-js the SDK brings. */
interface GrpcMetadata {
  get(key: string): unknown[];
}

/** Call options as the SDK gives them: always a deadline; in SDK 2.6 the metadata too. */
interface GrpcOptions {
  deadline: Date;
  metadata?: GrpcMetadata;
}

/**
 * One for the process: every SDK client parses the same protobuf definition anew, and the serializers of the first serve
 * them all.
 */
let service: MilvusService | undefined;

/** The Milvus gRPC service as this client's SDK defines it. */
export function milvusService(client: MilvusClient): MilvusService {
  if (!service) {
    const methods = readMethods(client);
    service = { methods, Channel: buildChannelClass(methods) };
  }
  return service;
}

function readMethods(client: MilvusClient): ReadonlyMap<string, RpcMethod> {
  // Private in the SDK's types, and its only complete description of the service.
  const definition = (client as unknown as { _MilvusService: { service: ServiceDefinition } })._MilvusService
    .service;
  const unary = Object.entries(definition).filter(([, rpc]) => !rpc.requestStream && !rpc.responseStream);
  return new Map(
    unary.map(([name, rpc]) => [
      name,
      {
        name,
        path: rpc.path,
        repeatability: repeatabilityOf(name),
        serialize: rpc.requestSerialize,
        deserialize: rpc.responseDeserialize,
      },
    ]),
  );
}

/** Real methods of a real class: a Proxy would answer `then` too, and hang at the SDK's `await`. */
function buildChannelClass(methods: ReadonlyMap<string, RpcMethod>): MilvusService['Channel'] {
  class Channel implements RpcChannel {
    constructor(readonly send: SendRpc) {}
    async acquire(): Promise<this> {
      return this;
    }
    release(): void {}
    async drain(): Promise<void> {}
    async clear(): Promise<void> {}
  }
  for (const method of methods.values()) {
    const value = function (this: Channel, request: object, ...rest: unknown[]): void {
      // (request, options, callback), or (request, metadata, options, callback).
      const done = rest.pop() as RpcCallback;
      const options = rest.pop() as GrpcOptions;
      const metadata = (rest.pop() as GrpcMetadata | undefined) ?? options.metadata;
      const rpc = { method, request, timeoutMs: timeLeftMs(options), metadata: requestMetadata(metadata) };
      this.send(rpc, done);
    };
    Object.defineProperty(Channel.prototype, method.name, { value });
  }
  return Channel;
}

function timeLeftMs({ deadline }: GrpcOptions): number {
  const ms = deadline.getTime() - Date.now();
  // The SDK makes an invalid date of a timeout that is too large for one.
  return Number.isNaN(ms) ? Number.POSITIVE_INFINITY : ms;
}

/** What the SDK's interceptors add to each request, and the caller's own request id. */
function requestMetadata(metadata: GrpcMetadata | undefined): Record<string, string> {
  const sentAt = { 'client-request-unixmsec': String(Date.now()) };
  const [requestId] = metadata?.get('client-request-id') ?? [];
  return requestId === undefined ? sentAt : { ...sentAt, 'client-request-id': String(requestId) };
}

import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { gunzipSync } from 'node:zlib';
import { defaultAnswer, type Message, type RpcDefinition } from './stub-answers.js';
import type { StubConnection } from './stub-connections.js';

export interface StubCallOptions {
  rpc: string;
  /** Undefined for a path Milvus does not have. */
  definition: RpcDefinition | undefined;
  stream: ServerHttp2Stream;
  metadata: IncomingHttpHeaders;
  connection: StubConnection;
  onEnded: (call: StubCall) => void;
}

/** One call at the server: what arrived, and what a behaviour needs to answer it. */
export class StubCall {
  readonly rpc: string;
  readonly stream: ServerHttp2Stream;
  readonly metadata: IncomingHttpHeaders;
  readonly connection: StubConnection;
  readonly connectionId: number;
  readonly streamId: number;
  readonly atMs = performance.now();
  /** Whether the server has ended its answer, or the stream is closed. */
  ended = false;
  /** Whether the stub itself sent RST_STREAM. */
  resetByServer = false;
  /** Whether the stub did what was asked, by `executing()`, whatever it answered. */
  executed = false;

  private readonly definition: RpcDefinition | undefined;
  private readonly onEnded: (call: StubCall) => void;
  private readonly chunks: Buffer[] = [];
  private readonly timers = new Set<NodeJS.Timeout>();
  private decoded: Message | undefined;

  constructor(options: StubCallOptions) {
    this.rpc = options.rpc;
    this.definition = options.definition;
    this.stream = options.stream;
    this.metadata = options.metadata;
    this.connection = options.connection;
    this.connectionId = options.connection.id;
    this.streamId = options.stream.id ?? 0;
    this.onEnded = options.onEnded;
  }

  /** Whether the whole request message arrived. */
  get complete(): boolean {
    const bytes = this.requestBytes;
    return bytes.length >= 5 && bytes.length === 5 + bytes.readUInt32BE(1);
  }

  /** The request's bytes, gRPC frame included, as far as they arrived. */
  get requestBytes(): Buffer {
    if (this.chunks.length > 1) this.chunks.splice(0, this.chunks.length, Buffer.concat(this.chunks));
    return this.chunks[0] ?? Buffer.alloc(0);
  }

  /** The request, decoded on first use. */
  get request(): Message {
    if (this.decoded) return this.decoded;
    const bytes = this.requestBytes;
    if (!this.complete || !this.definition) throw new Error(`${this.rpc}: the request did not arrive whole`);
    const body = bytes.subarray(5);
    this.decoded = this.definition.requestDeserialize(bytes[0] === 1 ? gunzipSync(body) : body);
    return this.decoded;
  }

  /** Whether an answer can still be written. */
  get open(): boolean {
    return !this.stream.destroyed && !this.stream.closed && !this.ended;
  }

  encode(message: Message): Buffer {
    return Buffer.from(this.definition?.responseSerialize(message) ?? []);
  }

  defaultAnswer(): Message {
    return defaultAnswer(this.rpc, this.complete ? this.request : {});
  }

  append(chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  /** Runs `then` after `ms`, unless the stream closes before. */
  later(ms: number, then: () => void): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      then();
    }, ms);
    this.timers.add(timer);
  }

  /**
   * Takes the call out of the server's counts. Called with the answer's last frame and not at the stream's close, which
   * Node reports so late that the client's next call would seem to overlap this one.
   */
  end(): void {
    if (this.ended) return;
    this.ended = true;
    this.onEnded(this);
  }

  clearTimers(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }
}

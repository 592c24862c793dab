import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2';
import type { Clock, Scheduled } from '../resilience/clock.js';
import type { Attempt, AttemptFailure, AttemptOutcome, UnaryRequest } from './attempt.js';
import { decodeGrpcMessage, GrpcCode, grpcCodeOfHttpStatus, parseGrpcStatus } from './grpc-status.js';
import { grpcCodeOfReset, http2ErrorName } from './http2-error.js';
import { requestHeaders } from './request-headers.js';
import { type FramingFault, frameMessage, UnaryAnswer } from './unary-framing.js';

/** What a stream must know of the connection it runs on. */
export interface StreamContext {
  readonly session: ClientHttp2Session;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly maxReceiveBytes: number;
  readonly clock: Clock;
  /** Whether new calls may begin. */
  readonly open: boolean;
  /** Whether the connection is gone: nothing more can leave or arrive. */
  readonly connectionDied: boolean;
  /** Highest stream id that the server's GOAWAY claims to have looked at, once it sent one. */
  readonly lastProcessedStreamId?: number;
  /** How often bytes of the peer arrived. */
  readonly heard: number;
  /** As that, in answer to calls. */
  readonly answers: number;
  /** Told when bytes of the peer arrive for a call. */
  onReceived(): void;
  /** Told when the connection has no stream left to give. */
  onUsedUp(): void;
  /** Told once, when the attempt has ended. */
  onEnded(stream: UnaryStream): void;
}

const FLAG_END_STREAM = 0x1;

/** `application/grpc`, also with `+proto` or parameters; gRPC-Web is something else. */
const GRPC_CONTENT_TYPE = /^application\/grpc(\+|;|$)/;

/** One unary RPC on a stream of its own, from the request's headers to its one outcome. */
export class UnaryStream implements Attempt {
  readonly outcome: Promise<AttemptOutcome>;
  private resolve!: (outcome: AttemptOutcome) => void;
  ended = false;
  private answered = false;
  private readonly stream?: ClientHttp2Stream;
  private readonly timer: Scheduled;
  private readonly answer: UnaryAnswer;
  private headers?: IncomingHttpHeaders;
  private readonly heardBefore: number;
  private readonly answersBefore: number;

  constructor(
    private readonly context: StreamContext,
    request: UnaryRequest,
  ) {
    this.outcome = new Promise(resolve => {
      this.resolve = resolve;
    });
    this.answer = new UnaryAnswer(context.maxReceiveBytes);
    this.heardBefore = context.heard;
    this.answersBefore = context.answers;
    const { timeoutMs, graceMs = 0 } = request;
    this.timer = context.clock.schedule(() => this.expire(timeoutMs), timeoutMs + graceMs);
    try {
      this.stream = this.open(request);
    } catch (error) {
      this.failUnsent(error as NodeJS.ErrnoException);
    }
  }

  cancel(): void {
    this.abandon({ code: GrpcCode.CANCELLED, message: 'cancelled by the caller', origin: 'caller' });
  }

  /** The server's GOAWAY says that it looked at no stream above this id. */
  refuseAbove(lastStreamId: number): void {
    if (this.headers || this.stream?.id === undefined || this.stream.id <= lastStreamId) return;
    this.abandon({
      code: GrpcCode.UNAVAILABLE,
      message: 'the server closed the connection before it looked at the request',
      origin: 'transport',
      processed: 'no',
    });
  }

  private open(request: UnaryRequest): ClientHttp2Stream {
    const frame = frameMessage(request.message);
    const headers = requestHeaders(request, this.context);
    // Node gives a stream an id, and calls it sent, even when the socket is gone already.
    if (!this.context.open) throw new ClosedError('the connection is closed');
    const stream = this.context.session.request(headers, { endStream: false });
    this.listen(stream);
    stream.end(frame);
    return stream;
  }

  private listen(stream: ClientHttp2Stream): void {
    stream.on('response', (headers, flags) => this.onHeaders(headers, flags));
    stream.on('data', (chunk: Buffer) => this.onData(chunk));
    stream.on('trailers', trailers => this.onTrailers(trailers));
    stream.on('close', () => this.onClose(stream));
    // 'close' follows every error and knows more; without a listener Node would throw.
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_HTTP2_OUT_OF_STREAMS') this.context.onUsedUp();
    });
  }

  private onHeaders(headers: IncomingHttpHeaders, flags: number): void {
    this.context.onReceived();
    this.headers = headers;
    if (flags & FLAG_END_STREAM && headers['grpc-status'] !== undefined) return this.onTrailers(headers);
    const httpStatus = Number(headers[':status']);
    const contentType = headers['content-type'] ?? 'none';
    if (httpStatus === 200 && GRPC_CONTENT_TYPE.test(contentType)) return;
    const code = grpcCodeOfHttpStatus(httpStatus);
    const conclusion =
      code === GrpcCode.UNAVAILABLE
        ? 'a proxy before Milvus has no Milvus to ask'
        : 'this address is not Milvus';
    this.abandon({
      code,
      message: `the server answered HTTP ${httpStatus} with content-type ${contentType}, not gRPC: ${conclusion}`,
      origin: 'server',
      notGrpc: true,
    });
  }

  private onData(chunk: Buffer): void {
    if (this.ended) return;
    this.context.onReceived();
    const fault = this.answer.push(chunk);
    if (fault) this.abandon({ ...fault, unreadable: true });
  }

  private onTrailers(trailers: IncomingHttpHeaders): void {
    if (this.ended) return;
    this.context.onReceived();
    this.answered = true;
    this.stopSending();
    const code = parseGrpcStatus(trailers['grpc-status']);
    if (code === GrpcCode.OK) {
      const encoding = this.headers?.['grpc-encoding'] as string | undefined;
      this.answer.finish(encoding, (message, fault) => this.finish(message, fault));
      return;
    }
    this.fail({ code, message: decodeGrpcMessage(trailers['grpc-message']), origin: 'server' });
  }

  private finish(message: Buffer | undefined, fault: FramingFault | undefined): void {
    if (message) this.settle({ ok: true, message });
    else this.fail({ ...fault!, unreadable: true });
  }

  /** The server has answered before it read the whole request: what is left of it need not travel. */
  private stopSending(): void {
    if (this.stream && !this.stream.writableFinished) this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** The stream is over; if no trailers came, the peer or the network ended it. */
  private onClose(stream: ClientHttp2Stream): void {
    if (this.ended || this.answered) return;
    // A reset is a word of the server too.
    if (stream.rstCode && !this.context.connectionDied) this.context.onReceived();
    const processed = this.provenUnprocessed(stream) ? 'no' : 'unknown';
    if (this.context.connectionDied) {
      const when = processed === 'no' ? 'before Milvus looked at the request' : 'under the request';
      this.fail({
        code: GrpcCode.UNAVAILABLE,
        message: `the connection broke ${when}`,
        processed,
        connectionDied: true,
      });
      return;
    }
    if (stream.id === undefined) {
      this.fail({ code: GrpcCode.UNAVAILABLE, message: 'the connection has no stream left', processed });
      return;
    }
    const resetCode = stream.rstCode || undefined;
    this.fail({
      code: grpcCodeOfReset(resetCode ?? constants.NGHTTP2_NO_ERROR),
      message: resetCode
        ? `the server reset the stream (${http2ErrorName(resetCode)})`
        : 'the server ended the stream without a gRPC status',
      processed,
      ...(resetCode && { resetCode }),
    });
  }

  /** RFC 9113, 6.8 and 8.7: a stream that never left, that was refused, or that lies above GOAWAY's last id. */
  private provenUnprocessed(stream: ClientHttp2Stream): boolean {
    if (this.headers) return false;
    if (stream.id === undefined) return true;
    const last = this.context.lastProcessedStreamId;
    if (last !== undefined && stream.id > last) return true;
    return !this.context.connectionDied && stream.rstCode === constants.NGHTTP2_REFUSED_STREAM;
  }

  private expire(timeoutMs: number): void {
    this.abandon({
      code: GrpcCode.DEADLINE_EXCEEDED,
      message: `no answer within ${Math.round(timeoutMs)} ms`,
      origin: 'caller',
    });
  }

  /** Nothing has left the process: the session takes no stream any more, or not this request. */
  private failUnsent(error: NodeJS.ErrnoException): void {
    const processed = 'no';
    const connectionDied = this.context.connectionDied;
    if (error instanceof ClosedError || sessionEndCodes.has(error.code ?? '')) {
      this.fail({ code: GrpcCode.UNAVAILABLE, message: error.message, processed, connectionDied });
      return;
    }
    this.fail({
      code: GrpcCode.INVALID_ARGUMENT,
      message: `the request cannot be sent: ${error.message}`,
      processed,
      connectionDied,
      origin: 'caller',
    });
  }

  /** Ends the attempt although the server has not, and tells it so. */
  private abandon(failure: FailureReason & Partial<AttemptFailure>): void {
    if (this.ended) return;
    const processed = this.stream?.id === undefined ? 'no' : 'unknown';
    this.fail({ processed, ...failure });
    if (this.stream && !this.stream.closed) this.stream.close(constants.NGHTTP2_CANCEL);
  }

  private fail(failure: FailureReason & Partial<AttemptFailure>): void {
    this.settle({
      processed: 'unknown',
      connectionDied: false,
      origin: 'transport',
      silent: this.context.heard === this.heardBefore,
      unanswered: this.context.answers === this.answersBefore,
      notGrpc: false,
      unreadable: false,
      ...failure,
      ok: false,
    });
  }

  private settle(outcome: AttemptOutcome): void {
    if (this.ended) return;
    this.ended = true;
    this.timer.cancel();
    this.context.onEnded(this);
    this.resolve(outcome);
  }
}

class ClosedError extends Error {}

/** Node's reasons to give a session no stream. */
const sessionEndCodes = new Set([
  'ERR_HTTP2_INVALID_SESSION',
  'ERR_HTTP2_GOAWAY_SESSION',
  'ERR_HTTP2_OUT_OF_STREAMS',
]);

type FailureReason = Pick<AttemptFailure, 'code' | 'message'>;
